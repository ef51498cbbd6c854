import COneDNN
import Tensors

/// How far a kernel steps, and by how many zeros an image is extended at either end.
package struct ConvolutionGeometry: Hashable, Sendable {
  package var stride: Int
  package var top, left, bottom, right: Int

  package init(stride: Int = 1, padding: Int = 0) {
    self.stride = stride
    (top, left, bottom, right) = (padding, padding, padding, padding)
  }

  package init(stride: Int, top: Int, left: Int, bottom: Int, right: Int) {
    self.stride = stride
    (self.top, self.left, self.bottom, self.right) = (top, left, bottom, right)
  }
}

/// All extents of one convolution.
struct ConvolutionExtents {
  /// `[batch, height, width, in]`
  let input: Shape
  /// `[batch, height', width', out]`
  let output: Shape
  let c: lyco_convolution

  /// - Parameters: an image `[batch, height, width, in]`, a kernel `[out, in, height, width]`.
  init(_ image: Shape, _ kernel: Shape, _ geometry: ConvolutionGeometry) {
    let (x, k) = (image.dimensions, kernel.dimensions)
    precondition(
      x.count == 4 && k.count == 4 && x[3] == k[1], "convolution of \(image) by \(kernel)")
    let height = (x[1] + geometry.top + geometry.bottom - k[2]) / geometry.stride + 1
    let width = (x[2] + geometry.left + geometry.right - k[3]) / geometry.stride + 1
    input = image
    output = [x[0], height, width, k[0]]
    c = lyco_convolution(
      batch: x[0], height: x[1], width: x[2], inputs: x[3], outputs: k[0], kernel_height: k[2],
      kernel_width: k[3], stride: geometry.stride, top: geometry.top, left: geometry.left,
      bottom: geometry.bottom, right: geometry.right)
  }
}
