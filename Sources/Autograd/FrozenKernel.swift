import COneDNN
package import Tensors

/// A convolution kernel `[out, in, height, width]` that is not trained.
@safe package final class FrozenKernel {
  package let shape: Shape
  package let compute: ComputeType
  private let handle: OpaquePointer

  package init(_ weight: Tensor, compute: ComputeType) {
    shape = weight.shape
    self.compute = compute
    let d = shape.dimensions
    precondition(d.count == 4, "a kernel of four axes, not \(shape)")
    let created = unsafe weight.elements.withUnsafeBufferPointer {
      unsafe lyco_kernel_create(
        $0.baseAddress, d[0], d[1], d[2], d[3], compute.oneDNN)
    }
    guard let created = unsafe created else {
      preconditionFailure("no memory for a kernel \(shape)")
    }
    unsafe handle = created
  }

  deinit { unsafe lyco_kernel_destroy(handle) }

  func forward(_ x: Tensor, bias: Tensor?, _ extents: ConvolutionExtents) -> Tensor {
    unsafe Tensor(filling: extents.output) { y in
      unsafe x.reading { x in
        unsafe withOptional(bias) { bias in
          var c = extents.c
          check(unsafe lyco_kernel_forward(handle, &c, x, bias, y), "convolution \(shape)")
        }
      }
    }
  }

  func backward(_ dy: Tensor, _ extents: ConvolutionExtents) -> Tensor {
    unsafe Tensor(filling: extents.input) { dx in
      unsafe dy.reading { dy in
        var c = extents.c
        check(
          unsafe lyco_kernel_backward(handle, &c, dy, dx), "gradient of a convolution \(shape)")
      }
    }
  }

  /// The kernel as it is multiplied.
  package var value: Tensor {
    unsafe Tensor(filling: shape) {
      check(unsafe lyco_kernel_read(handle, $0), "reading a kernel \(shape)")
    }
  }

  /// Bytes of its numbers in memory.
  package var byteCount: Int { unsafe lyco_kernel_size(handle) }
}
