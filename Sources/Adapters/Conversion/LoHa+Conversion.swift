import LinearAlgebra
package import Tensors

extension LoHa: LowRankAlgorithm {
  /// At the product of both ranks: (A·B) ⊙ (C·D) is a product whose columns are those of A times
  /// those of C, element by element, each with each, and whose rows are those of B times those of D.
  /// Where that is more than the smaller side of the weight, at that.
  ///
  /// A core is absorbed into the right factor of its side. Source: Khatri and Rao 1968, "Solutions to
  /// some functional equations", whose product of columns this is.
  /// - Complexity: O((out + in·kernel)·rank²)
  package static func lowRankChange(
    of factors: Factors<Tensor>, for weight: Shape
  ) throws -> LowRankChange? {
    let (a, b) = try matrices(first, of: factors)
    let (c, d) = try matrices(second, of: factors)
    let rank = b.shape.rows * d.shape.rows
    guard rank < min(weight.rows, weight.columns) else {
      let delta = ((a * factors.scale).matmul(b) * c.matmul(d)).reshaped(weight.asMatrix)
      return weight.rows < weight.columns
        ? LowRankChange(of: weight, up: Tensor(identity: weight.rows), down: delta)
        : LowRankChange(of: weight, up: delta, down: Tensor(identity: weight.columns))
    }
    return LowRankChange(
      of: weight, up: rowProducts(a * factors.scale, c),
      down: rowProducts(b.transposed(), d.transposed()).transposed())
  }

  /// Every row of x ⊗ that of y: `[n, p]` and `[n, q]` to `[n, p · q]`.
  private static func rowProducts(_ x: Tensor, _ y: Tensor) -> Tensor {
    let (n, p, q) = (x.shape.rows, x.shape.columns, y.shape.columns)
    return x.reshaped([n, p, 1]).blockMatmul(y.reshaped([n, 1, q])).reshaped([n, p * q])
  }
}
