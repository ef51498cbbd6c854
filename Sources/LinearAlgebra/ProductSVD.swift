package import Tensors

/// Decompositions of a product A·B whose inner extent is small, without multiplying it out.
///
/// With A = Q·R and Bᵀ = P·S by QR, A·B = Q·(R·Sᵀ)·Pᵀ, and all that is left to decompose is the core
/// R·Sᵀ, no larger than the inner extent.
extension SVD {
  /// The thin SVD of A·B, for A `[m, r]` and B `[r, n]`: min(m, r, n) triplets.
  ///
  /// Truncated to its leading part it is the nearest matrix of that rank, as if the product had been
  /// decomposed itself.
  /// - Complexity: O((m + n)·r² + r³)
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`, `.notConverged`
  package init(ofProduct a: Tensor, _ b: Tensor) throws(LinearAlgebraError) {
    let (q, r) = try a.qr()
    let (p, s) = try b.transposed().qr()
    let core = try r.matmulTransposed(s).svd()
    self.init(
      ut: q.matmul(core.u).transposed(), s: core.s, vt: core.vt.matmulTransposed(p))
  }
}

extension Tensor {
  /// ‖A·B‖²_F for A `[m, r]` and B `[r, n]`.
  /// - Complexity: O((m + n)·r² + r³)
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`
  package static func squaredNorm(
    ofProduct a: Tensor, _ b: Tensor
  ) throws(LinearAlgebraError) -> Double {
    try core(ofProduct: a, b).sumOfSquares
  }

  /// A matrix with the singular values of A·B, for A `[m, r]` and B `[r, n]`: r × r at most.
  /// - Complexity: O((m + n)·r²)
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`
  package static func core(
    ofProduct a: Tensor, _ b: Tensor
  ) throws(LinearAlgebraError) -> Tensor {
    try a.qr().r.matmulTransposed(try b.transposed().qr().r)
  }
}
