import LinearAlgebra
import Tensors

extension LayerMetric {
  /// The factors s of input channels for which ‖Nᵀ·(Δ − W·diag(s))·M‖ is smallest, `[in]`, and how much of ‖Nᵀ·Δ·M‖² they
  /// take away.
  /// - Complexity: O(in²·(out·kernel + in))
  /// - Throws: `LinearAlgebraError`
  func inputFactors(
    of base: Tensor, to delta: Tensor
  ) throws(LinearAlgebraError) -> (factors: Tensor, energy: Double) {
    try factors(
      of: whitenedOutputs(whitenedKernel(base)).inputsFirst(),
      to: whitenedOutputs(whitenedKernel(delta)).inputsFirst(),
      weighedBy: regularInputs)
  }

  /// The factors s of outputs for which ‖Nᵀ·(Δ − diag(s)·W)·M‖ is smallest, `[out]`, and how much they take away.
  /// - Complexity: O(out²·(n·kernel + out))
  /// - Throws: `LinearAlgebraError`
  func outputFactors(
    of base: Tensor, to delta: Tensor
  ) throws(LinearAlgebraError) -> (factors: Tensor, energy: Double) {
    let (base, delta) = (whitenedInputs(base), whitenedInputs(delta))
    guard let moment = regularOutputs else { return base.rowFactors(to: delta) }
    return try factors(of: base, to: delta, weighedBy: moment)
  }

  /// The factors of rows of W that bring it nearest to Δ where rows go together as a moment says: they share what they
  /// explain. The normal matrix is moment ⊙ WWᵀ, and its right side the sum of the rows of moment ⊙ WΔᵀ.
  private func factors(
    of base: Tensor, to delta: Tensor, weighedBy moment: Tensor
  ) throws(LinearAlgebraError) -> (factors: Tensor, energy: Double) {
    let count = moment.shape.rows
    let weight = base.reshaped([count, base.count / max(count, 1)])
    let normal = moment * weight.matmulTransposed(weight)
    let products = moment * weight.matmulTransposed(delta.reshaped(weight.shape))
    let sides = (0..<count).map { row in
      products.elements[row * count..<(row + 1) * count].reduce(0.0) { $0 + Double($1) }
    }
    guard normal.sumOfSquares > 0 else { return (Tensor(zeros: [count]), 0) }
    // Rows of zeros explain nothing.
    let factor = try normal.choleskyFactor(ridge: 1e-6)
    let factors = Tensor([1, count], sides.map { Float($0) }).divided(byTransposedLower: factor)
      .divided(byLower: factor)
    let energy = zip(factors.elements, sides).reduce(0) { $0 + Double($1.0) * $1.1 }
    return (factors.reshaped([count]), energy)
  }
}
