import LinearAlgebra
import Tensors

/// Operations on `[n, b, c]`, n matrices one after another. Butterflies are those of `TensorAlgebra`,
/// made of recorded stages.
extension Variable {
  /// A·B of every pair: dA = G·Bᵀ, dB = Aᵀ·G.
  package func blockMatmul(_ other: Variable) -> Variable {
    let (a, b) = (value, other.value)
    return .record(
      a.blockMatmul(b),
      (self, { $0.blockMatmulTransposed(b) }),
      (other, { a.swappedLastAxes().blockMatmul($0) }))
  }

  /// Y = X⁻¹: dX = −Yᵀ·G·Yᵀ.
  package func inverse() -> Variable {
    let inverse = value.inverse()
    let before = shape
    return .record(
      inverse,
      (
        self,
        { gradient in
          let b = before.dimensions[before.dimensions.count - 1]
          let blocks = Shape([before.count / max(b * b, 1), b, b])
          let y = inverse.reshaped(blocks).swappedLastAxes()
          return (y.blockMatmul(gradient.reshaped(blocks)).blockMatmul(y) * -1).reshaped(before)
        }
      ))
  }

  package consuming func addingDiagonal(_ value: Float) -> Variable {
    let node = self
    return .record(node.value.addingDiagonal(value), (node, { $0 }))
  }
}
