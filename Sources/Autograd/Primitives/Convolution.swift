import COneDNN
package import Tensors

extension Variable {
  /// An image `[batch, height, width, in]` by a frozen kernel `[out, in, kh, kw]`.
  package func convolved(
    _ kernel: FrozenKernel, bias: Tensor? = nil, _ geometry: ConvolutionGeometry
  ) -> Variable {
    let extents = ConvolutionExtents(shape, kernel.shape, geometry)
    return .record(
      kernel.forward(value, bias: bias, extents), (self, { kernel.backward($0, extents) }))
  }

  /// An image `[batch, height, width, in]` by a kernel `[out, in, kh, kw]` that may be trained.
  package func convolved(
    _ weight: Variable, bias: Variable? = nil, _ geometry: ConvolutionGeometry,
    compute: ComputeType = .f32
  ) -> Variable {
    let extents = ConvolutionExtents(shape, weight.shape, geometry)
    let w = weight.value
    let x = weight.needsGradient ? value : nil
    let result = Variable.record(
      extents.forward(value, w, compute),
      (self, { extents.backwardData($0, w, compute) }),
      (
        weight,
        { gradient in
          guard let x else { preconditionFailure("an input was kept") }
          return extents.backwardWeight(x, gradient, w.shape)
        }
      ))
    return bias.map { result.addingRow($0) } ?? result
  }
}

extension ConvolutionExtents {
  func forward(_ x: Tensor, _ weight: Tensor, _ compute: ComputeType) -> Tensor {
    unsafe call(output, x, weight) {
      unsafe lyco_convolution_forward($0, $1, $2, nil, $3, compute.oneDNN)
    }
  }

  func backwardData(_ dy: Tensor, _ weight: Tensor, _ compute: ComputeType) -> Tensor {
    unsafe call(input, dy, weight) {
      unsafe lyco_convolution_backward_data($0, $1, $2, $3, compute.oneDNN)
    }
  }

  func backwardWeight(_ x: Tensor, _ dy: Tensor, _ weight: Shape) -> Tensor {
    unsafe call(weight, x, dy) {
      unsafe lyco_convolution_backward_weight($0, $1, $2, $3)
    }
  }

  private func call(
    _ shape: Shape, _ a: Tensor, _ b: Tensor,
    _ body: (
      UnsafePointer<lyco_convolution>, UnsafePointer<Float>?, UnsafePointer<Float>?,
      UnsafeMutablePointer<Float>?
    ) -> Int32
  ) -> Tensor {
    var c = c
    return unsafe Tensor(filling: shape) { target in
      unsafe a.elements.withUnsafeBufferPointer { a in
        unsafe b.elements.withUnsafeBufferPointer { b in
          check(
            unsafe body(&c, a.baseAddress, b.baseAddress, target),
            "convolution to \(shape)")
        }
      }
    }
  }
}
