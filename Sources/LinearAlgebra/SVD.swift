package import Tensors

/// A singular value decomposition A = U·diag(s)·Vᵀ, thin or truncated to its leading part.
package struct SVD: Sendable {
  /// Left singular vectors as columns, `[m, k]`. In each the component of largest magnitude is
  /// positive, which fixes the signs of both sides.
  package let u: Tensor

  /// Singular values, k of them, descending and not negative.
  package let s: [Float]

  /// Right singular vectors as rows, `[k, n]`.
  package let vt: Tensor

  package init(u: Tensor, s: [Float], vt: Tensor) {
    (self.u, self.s, self.vt) = (u, s, vt)
  }

  /// Number of triplets.
  package var rank: Int { s.count }

  /// The leading `rank` triplets.
  package func prefix(_ rank: Int) -> SVD {
    guard rank < s.count else { return self }
    return SVD(u: u.columns(0..<rank), s: Array(s[..<rank]), vt: vt.rows(0..<rank))
  }

  /// U·diag(s)·Vᵀ, `[m, n]`.
  package func product() -> Tensor {
    var scaled = vt
    let width = vt.shape.columns
    for i in 0..<rank {
      for j in i * width..<(i + 1) * width { scaled.elements[j] *= s[i] }
    }
    return u.matmul(scaled)
  }

  /// From left vectors as rows of `ut` `[k, m]`, with the signs fixed.
  init(ut: Tensor, s: [Float], vt: Tensor) {
    var (ut, vt) = (ut, vt)
    vt.negateRows(where: ut.orientRows())
    self.init(u: ut.transposed(), s: s, vt: vt)
  }

  /// That of the transposed matrix, signs fixed anew.
  func transposed() -> SVD { SVD(ut: vt, s: s, vt: u.transposed()) }
}

extension Tensor {
  /// A copy of some columns of the matrix.
  func columns(_ columns: Range<Int>) -> Tensor {
    let width = shape.columns
    var result: [Float] = []
    result.reserveCapacity(shape.rows * columns.count)
    for i in 0..<shape.rows {
      result += elements[i * width + columns.lowerBound..<i * width + columns.upperBound]
    }
    return Tensor([shape.rows, columns.count], result)
  }
}
