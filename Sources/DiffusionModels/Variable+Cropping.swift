import Autograd
import Tensors

extension Variable {
  /// The upper left part of an image `[batch, height, width, channels]`.
  func cropped(height: Int, width: Int) -> Variable {
    let d = shape.dimensions
    guard d[1] != height || d[2] != width else { return self }
    let (whole, row, part) = (shape, d[2] * d[3], width * d[3])
    let starts = (0..<d[0]).flatMap { sample in
      (0..<height).map { (sample * d[1] + $0) * row }
    }
    let x = value.elements
    return .record(
      Tensor([d[0], height, width, d[3]], starts.flatMap { x[$0..<$0 + part] }),
      (
        self,
        { dy in
          var dx = Tensor(zeros: whole)
          for (i, start) in starts.enumerated() {
            dx.elements.replaceSubrange(
              start..<start + part, with: dy.elements[i * part..<(i + 1) * part])
          }
          return dx
        }
      ))
  }
}
