package import Tensors

extension RasterImage {
  /// One of the pictures that a decoder made, as sd-scripts and diffusers save them: x / 2 + 1/2, cut off at 0 and 1,
  /// times 255, halves to even. What is no number becomes black.
  /// - Parameter pictures: `[batch, height, width, 3]`, -1 to 1.
  package init(_ pictures: Tensor, at index: Int = 0) {
    let d = pictures.shape.dimensions
    precondition(
      d.count == 4 && d[3] == 3 && (0..<d[0]).contains(index),
      "picture \(index) of \(pictures.shape)")
    let count = d[1] * d[2] * 3
    let from = pictures.elements.span
    var pixels = [UInt8](repeating: 0, count: count)
    var to = pixels.mutableSpan
    for i in 0..<count {
      let value = from[index * count + i] / 2 + 0.5
      if value > 0 { to[i] = UInt8((min(value, 1) * 255).rounded(.toNearestOrEven)) }
    }
    self.init(width: d[2], height: d[1], channels: 3, pixels: pixels)
  }
}
