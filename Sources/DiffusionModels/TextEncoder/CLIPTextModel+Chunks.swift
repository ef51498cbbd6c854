package import Autograd
import Tensors

/// What denoisers read of captions in one, two or three rows each (`CLIPTokenizer.chunks`), equally many.
extension CLIPTextModel {
  /// The vectors of the rows one behind the other, with the start of the first and the end of the last alone.
  /// - Returns: `[captions, 75 · rows + 2, width]`
  package func encode(_ captions: [[[Int]]], clipSkip: Int = 1) -> Variable {
    Self.joined(self(Array(captions.joined()), clipSkip: clipSkip), captions.count)
  }

  /// The same of the layer before the last one, without the final norm.
  package func encodePenultimate(_ captions: [[[Int]]]) -> Variable {
    Self.joined(penultimate(Array(captions.joined())), captions.count)
  }

  /// The same, and one vector for each caption: what the model says of the first end mark of its first row,
  /// projected.
  ///
  /// Source: sd-scripts `library/strategy_sdxl.py`, `_pool_workaround`.
  /// - Parameter end: the mark behind a text.
  /// - Returns: vectors as `encodePenultimate`, and `[captions, projected]`.
  package func encodeWithPooled(
    _ captions: [[[Int]]], end: Int = CLIPTokenizer.end
  ) -> (states: Variable, pooled: Variable) {
    let states = penultimate(Array(captions.joined()))
    let (rows, length) = (captions.first?.count ?? 0, states.shape.dimensions[1])
    let first =
      rows == 1
      ? states
      : states.rows(
        captions.indices.flatMap { ($0 * rows * length)..<($0 * rows + 1) * length }
      ).reshaped([captions.count, length, width])
    let ends = captions.map { $0[0].firstIndex(of: end) ?? 0 }
    return (Self.joined(states, captions.count), pooled(first, at: ends))
  }

  /// Of texts that are one row each: vectors as `encodePenultimate`, and one for the whole, what the model says of the
  /// first end mark, projected if it projects.
  /// - Parameters:
  ///   - rows: of equal length.
  ///   - isMasked: whether tokens behind that mark are not seen.
  ///   - end: the mark behind a text.
  /// - Returns: `[rows, length, width]` and `[rows, projected]`
  package func encode(
    rows: [[Int]], isMasked: Bool = false, end: Int = CLIPTokenizer.end
  ) -> (states: Variable, pooled: Variable) {
    let ends = rows.map { $0.firstIndex(of: end) ?? 0 }
    let counts = isMasked ? ends.map { $0 + 1 } : nil
    let states = penultimate(rows, seeing: counts)
    return (states, pooled(states, at: ends, seeing: counts))
  }

  private static func joined(_ states: Variable, _ captions: Int) -> Variable {
    let (length, width) = (states.shape.dimensions[1], states.shape.dimensions[2])
    let rows = states.shape.rows / max(captions, 1)
    guard rows > 1 else { return states }
    let kept = (0..<captions).flatMap { caption in
      (0..<rows).flatMap { row -> [Int] in
        let start = (caption * rows + row) * length
        return Array(start + (row == 0 ? 0 : 1)..<start + length - (row == rows - 1 ? 0 : 1))
      }
    }
    return states.rows(kept).reshaped([captions, rows * (length - 2) + 2, width])
  }
}

extension Variable {
  /// Some rows of `[…, width]`, in that order, as `[count, width]`; none of them twice.
  func rows(_ numbers: [Int]) -> Variable {
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
