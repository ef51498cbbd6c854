package import Autograd
import Tensors

extension CLIPTextModel {
  /// What the UNet reads of captions in one, two or three rows each: the vectors of the rows one behind
  /// the other, with the start of the first and the end of the last alone.
  /// - Parameter captions: of each its rows (`CLIPTokenizer.chunks`), equally many.
  /// - Returns: `[captions, 75 · rows + 2, width]`
  package func encode(_ captions: [[[Int]]], clipSkip: Int = 1) -> Variable {
    let states = self(Array(captions.joined()), clipSkip: clipSkip)
    let (rows, length) = (captions.first?.count ?? 0, states.shape.dimensions[1])
    guard rows > 1 else { return states }
    let kept = captions.indices.flatMap { caption in
      (0..<rows).flatMap { row -> [Int] in
        let start = (caption * rows + row) * length
        return Array(start + (row == 0 ? 0 : 1)..<start + length - (row == rows - 1 ? 0 : 1))
      }
    }
    return states.rows(kept).reshaped([captions.count, rows * (length - 2) + 2, width])
  }
}

extension Variable {
  /// Some rows of `[…, width]`, in that order, as `[count, width]`; none of them twice.
  fileprivate func rows(_ numbers: [Int]) -> Variable {
    let (whole, width) = (shape, shape.dimensions.last ?? 1)
    let x = value.elements
    return .record(
      Tensor([numbers.count, width], numbers.flatMap { x[$0 * width..<($0 + 1) * width] }),
      (
        self,
        { dy in
          var dx = Tensor(zeros: whole)
          for (i, row) in numbers.enumerated() {
            dx.elements.replaceSubrange(
              row * width..<(row + 1) * width, with: dy.elements[i * width..<(i + 1) * width])
          }
          return dx
        }
      ))
  }
}
