private import CBLAS
package import Tensors

/// Cholesky factors, and products with them and their inverses from the right.
extension Tensor {
  /// The lower triangular L `[n, n]` with L·Lᵀ = A + ridge · mean(diag A) · I: in single precision where the ridge stands
  /// out from its rounding, else in double precision and then rounded.
  ///
  /// Only the lower triangle of the symmetric matrix is read; what is above the diagonal of L is 0.
  /// - Precondition: the matrix is square.
  /// - Complexity: O(n³ / 3)
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`; `.singular` for a matrix that is not positive definite for
  ///   all that.
  package func choleskyFactor(ridge: Double) throws(LinearAlgebraError) -> Tensor {
    precondition(shape.rows == shape.columns, "Cholesky decomposition of \(shape)")
    let (n, _) = try checked(for: .cholesky)
    let order = Int(n)
    guard order > 0 else { return self }
    let trace = (0..<order).reduce(0.0) { $0 + Double(elements[$1 * order + $1]) }
    let added = ridge * trace / Double(order)
    // Column-major LAPACK sees the transpose: our lower triangle is its upper one.
    let upper = CChar(UInt8(ascii: "U"))
    if ridge >= Self.leastSingleRidge {
      var factor = self
      for i in 0..<order { factor.elements[i * order + i] += Float(added) }
      let info = unsafe blas.pointee.LAPACKE_spotrf(LAPACK_COL_MAJOR, upper, n, &factor.elements, n)
      // No square of a pivot is less than what was added, but for rounding.
      if info == 0,
        (0..<order).allSatisfy({
          Double(factor.elements[$0 * order + $0] * factor.elements[$0 * order + $0])
            >= 0.9 * added
        })
      {
        return factor.lowerTriangle()
      }
    }
    var matrix = DoubleMatrix(self)
    for i in 0..<order { matrix.elements[i * order + i] += added }
    guard unsafe blas.pointee.LAPACKE_dpotrf(LAPACK_COL_MAJOR, upper, n, &matrix.elements, n) == 0
    else {
      throw .singular(.cholesky, shape)
    }
    return matrix.tensor.lowerTriangle()
  }

  /// The share of the mean of a diagonal that single precision can tell from nothing.
  private static let leastSingleRidge = 1e-4

  private consuming func lowerTriangle() -> Tensor {
    var result = self
    let n = result.shape.rows
    for i in 0..<n {
      for j in i + 1..<max(n, i + 1) { result.elements[i * n + j] = 0 }
    }
    return result
  }

  /// A·L for a matrix `[m, n]` and a lower triangular L `[n, n]`; the result has the shape of A.
  /// - Complexity: O(m·n²)
  package consuming func multiplied(byLower l: Tensor) -> Tensor {
    unsafe (consume self).applying(blas.pointee.cblas_strmm, l, CblasRight, CblasNoTrans)
  }

  /// A·L⁻¹ for a matrix `[m, n]` and a lower triangular L `[n, n]` without zeros on its diagonal; the result has the
  /// shape of A.
  /// - Complexity: O(m·n²)
  package consuming func divided(byLower l: Tensor) -> Tensor {
    unsafe (consume self).applying(blas.pointee.cblas_strsm, l, CblasRight, CblasNoTrans)
  }

  /// A·L⁻ᵀ for the same.
  /// - Complexity: O(m·n²)
  package consuming func divided(byTransposedLower l: Tensor) -> Tensor {
    unsafe (consume self).applying(blas.pointee.cblas_strsm, l, CblasRight, CblasTrans)
  }

  /// Lᵀ·A for a matrix `[n, …]` and a lower triangular L `[n, n]`; the result has the shape of A.
  /// - Complexity: O(n²·m)
  package consuming func multiplied(fromLeftByTransposedLower l: Tensor) -> Tensor {
    unsafe (consume self).applying(blas.pointee.cblas_strmm, l, CblasLeft, CblasTrans)
  }

  /// L·A for the same.
  /// - Complexity: O(n²·m)
  consuming func multiplied(fromLeftByLower l: Tensor) -> Tensor {
    unsafe (consume self).applying(blas.pointee.cblas_strmm, l, CblasLeft, CblasNoTrans)
  }

  /// L⁻ᵀ·A for the same, without zeros on the diagonal of L.
  /// - Complexity: O(n²·m)
  package consuming func divided(fromLeftByTransposedLower l: Tensor) -> Tensor {
    unsafe (consume self).applying(blas.pointee.cblas_strsm, l, CblasLeft, CblasTrans)
  }

  /// BLAS' product with a triangle, or with its inverse.
  private typealias TriangularOperation = (
    CBLAS_ORDER, CBLAS_SIDE, CBLAS_UPLO, CBLAS_TRANSPOSE, CBLAS_DIAG, blasint, blasint, Float,
    UnsafePointer<Float>?, blasint, UnsafeMutablePointer<Float>?, blasint
  ) -> Void

  /// From the left L goes through the rows of this tensor, from the right through its numbers as runs of n.
  private consuming func applying(
    _ operation: TriangularOperation, _ l: Tensor, _ side: CBLAS_SIDE,
    _ orientation: CBLAS_TRANSPOSE
  ) -> Tensor {
    var result = self
    let n = l.shape.rows
    let isLeft = side == CblasLeft
    let fits = isLeft ? result.shape.rows == n : n > 0 && result.count.isMultiple(of: n)
    precondition(l.shape.columns == n && n > 0 && fits, "\(result.shape) and a triangle \(l.shape)")
    guard result.count > 0 else { return result }
    let (rows, columns) = isLeft ? (n, result.count / n) : (result.count / n, n)
    unsafe operation(
      CblasRowMajor, side, CblasLower, orientation, CblasNonUnit, blasint(rows), blasint(columns),
      1, l.elements, blasint(n), &result.elements, blasint(columns))
    return result
  }
}
