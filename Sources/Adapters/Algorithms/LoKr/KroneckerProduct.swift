import LinearAlgebra
import Tensors

/// Two sides of a Kronecker product as an extraction finds them: w1 of unit norm, w2 the best one
/// beside it.
struct KroneckerProduct {
  enum Side {
    case whole(Tensor)
    case product(SVD)
  }

  let form: KroneckerForm
  /// w1 `[a, c]`, of norm 1.
  let outer: Side
  /// w2 `[b, d · kernel]`.
  let inner: Side
  /// How much of ‖Δ‖²_F the product takes away: ‖w2‖²_F, because w2 is a projection of the change.
  let kept: Double
  /// Steps of refinement; nil for a closed form.
  var iterations: Int?

  init(form: KroneckerForm, outer: Side, inner: Side) {
    (self.form, self.outer, self.inner) = (form, outer, inner)
    kept = inner.squaredNorm
  }

  /// The tensors to store: a scale of each side in its left factor.
  func stored(as storage: DType) -> [Factorization.Factor] {
    let tensors = zip(form.tensors, outer.factors + inner.factors).map { place, tensor in
      LoRA.stored(place.suffix, EncodedTensor(tensor, as: storage), as: place.shape)
    }
    return tensors + [LoRA.storedAlpha(form.rank ?? 1)]
  }
}

extension KroneckerProduct.Side {
  /// The side multiplied out.
  var matrix: Tensor {
    switch self {
    case .whole(let matrix): matrix
    case .product(let svd): svd.product()
    }
  }

  var squaredNorm: Double {
    switch self {
    case .whole(let matrix): matrix.sumOfSquares
    case .product(let svd): svd.s.reduce(0) { $0 + Double($1) * Double($1) }
    }
  }

  /// Scaled to norm 1; zeros stay zeros.
  var normalized: Self {
    let norm = squaredNorm.squareRoot()
    guard norm > 0 else { return self }
    switch self {
    case .whole(let matrix): return .whole(matrix * Float(1 / norm))
    case .product(let svd):
      return .product(SVD(u: svd.u, s: svd.s.map { Float(Double($0) / norm) }, vt: svd.vt))
    }
  }

  /// The matrix itself, or U Σ and Vᵀ.
  var factors: [Tensor] {
    switch self {
    case .whole(let matrix): [matrix]
    case .product(let svd): [svd.scaledLeft, svd.vt]
    }
  }
}
