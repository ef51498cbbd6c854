import LinearAlgebra
import Tensors

/// What adapters' formulas are made of. Forward and backward of each operation stand side by side; a
/// backward pass keeps an operand only where another operand's gradient needs it.
///
/// Sums, products of numbers and other shapes are in `Primitives/Arithmetic.swift`, the other
/// operations in `Variable+Blocks.swift`, `Variable+Scaling.swift` and `Variable+Accumulation.swift`.
extension Variable: TensorAlgebra {
  /// A·B: dA = G·Bᵀ, dB = Aᵀ·G.
  package func matmul(_ other: Variable) -> Variable {
    let (a, b) = (value, other.value)
    return .record(
      a.product(.plain, b, .plain),
      (self, { $0.product(.plain, b, .transposed).reshaped(a.shape) }),
      (other, { a.product(.transposed, $0, .plain).reshaped(b.shape) }))
  }

  package func transposed() -> Variable {
    let before = shape
    return .record(
      value.turnedMatrix(), (self, { $0.turnedMatrix().reshaped(before) }))
  }

  /// The gradient of the other rows is zero.
  package func rows(_ rows: Range<Int>) -> Variable {
    let before = shape
    return .record(
      value.rows(rows),
      (
        self,
        { gradient in
          var all = Tensor(zeros: before)
          all.replaceRows(from: rows.lowerBound, with: gradient)
          return all
        }
      ))
  }

  package static func stacked(_ parts: [Variable]) -> Variable {
    let needed = parts.map(\.needsGradient)
    var ranges: [Range<Int>] = []
    for part in parts {
      let start = ranges.last?.upperBound ?? 0
      ranges.append(start..<start + part.shape.rows)
    }
    return .record(Tensor.stacked(parts.map(\.value)), from: parts) { gradient in
      zip(ranges, needed).map { $1 ? gradient.rows($0) : nil }
    }
  }

  package func swappedMiddleAxes() -> Variable {
    .record(value.swappedMiddleAxes(), (self, { $0.swappedMiddleAxes() }))
  }

  /// A constant.
  package func truncated(toRank rank: Int) -> Variable { Variable(value.truncated(toRank: rank)) }
}
