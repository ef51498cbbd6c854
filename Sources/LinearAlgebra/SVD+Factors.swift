package import Tensors

extension SVD {
  /// U·diag(s), `[m, k]`
  package var scaledLeft: Tensor {
    var scaled = u
    scaled.scaleColumns(by: s)
    return scaled
  }

  /// V·diag(s), `[n, k]`
  package var scaledRight: Tensor {
    var scaled = vt.transposed()
    scaled.scaleColumns(by: s)
    return scaled
  }

  /// U·diag(√s) `[m, k]` and diag(√s)·Vᵀ `[k, n]`, factors of equal norms.
  package var balancedFactors: (left: Tensor, right: Tensor) {
    let roots = s.map { $0.squareRoot() }
    var (left, right) = (u, vt)
    left.scaleColumns(by: roots)
    right.scaleRows(by: roots)
    return (left, right)
  }
}
