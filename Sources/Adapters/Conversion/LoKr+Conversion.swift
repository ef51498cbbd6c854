package import LinearAlgebra
package import Tensors

extension LoKr: LowRankAlgorithm {
  /// At the product of the ranks of both sides, the least there is: with w1 = U₁Σ₁V₁ᵀ and
  /// w2 = U₂Σ₂V₂ᵀ, w1 ⊗ w2 = (U₁Σ₁ ⊗ U₂Σ₂)·(V₁ ⊗ V₂)ᵀ by the mixed product.
  package static func lowRankChange(
    of factors: Factors<Tensor>, for weight: Shape
  ) throws -> LowRankChange? {
    LowRankChange(of: weight, try svd(of: factors))
  }

  /// The leading singular triplets of w1 ⊗ w2 with its scale: the products of those of w1 with those
  /// of w2, all by default. The last ones of a side are left out where they are what f32 makes of zeros.
  /// - Complexity: O(rank·(out + in·kernel)) and the SVDs of both sides.
  /// - Throws: `AdapterError.missingFactor`; `LinearAlgebraError` if a factor is not finite.
  package static func svd(of factors: Factors<Tensor>, rank: Int = .max) throws -> SVD {
    let outer: SVD
    if let whole = factors[w1] {
      outer = try (whole * factors.scale).svd()
    } else {
      outer = try SVD(
        ofProduct: try factors.require(w1Left) * factors.scale, try factors.require(w1Right))
    }
    let inner: SVD
    if let whole = factors[w2] {
      inner = try whole.svd()
    } else {
      let (left, right) = try innerMatrices(of: factors)
      inner = try SVD(ofProduct: left, right)
    }
    return SVD(
      ofKronecker: outer.droppingNoise(below: noise), inner.droppingNoise(below: noise),
      rank: rank)
  }

  /// What an SVD in f32 leaves of singular values that are zero, as a share of the norm.
  private static let noise = 1e-6
}
