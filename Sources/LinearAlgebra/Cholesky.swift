private import CLAPACKE
private import COpenBLAS
package import Tensors

/// Cholesky factors, and products with them and their inverses from the right.
extension Tensor {
  /// The lower triangular L `[n, n]` with L·Lᵀ = A + ridge · mean(diag A) · I, in double precision and then rounded.
  ///
  /// Only the lower triangle of the symmetric matrix is read; what is above the diagonal of L is 0.
  /// - Precondition: the matrix is square.
  /// - Complexity: O(n³ / 3)
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`; `.singular` for a matrix that is not positive definite for
  ///   all that.
  package func choleskyFactor(ridge: Double) throws(LinearAlgebraError) -> Tensor {
    precondition(shape.rows == shape.columns, "Cholesky decomposition of \(shape)")
    let (n, _) = try checked(for: .cholesky)
    var matrix = DoubleMatrix(self)
    let order = Int(n)
    var trace = 0.0
    for i in 0..<order { trace += matrix.elements[i * order + i] }
    let added = ridge * trace / Double(max(order, 1))
    for i in 0..<order { matrix.elements[i * order + i] += added }
    guard order > 0 else { return self }
    // Column-major LAPACK sees the transpose: our lower triangle is its upper one.
    let info = unsafe LAPACKE_dpotrf(
      LAPACK_COL_MAJOR, CChar(UInt8(ascii: "U")), n, &matrix.elements, n)
    guard info == 0 else { throw .singular(.cholesky, shape) }
    for i in 0..<order {
      for j in i + 1..<max(order, i + 1) { matrix.elements[i * order + j] = 0 }
    }
    return matrix.tensor
  }

  /// A·L for a matrix `[m, n]` and a lower triangular L `[n, n]`; the result has the shape of A.
  /// - Complexity: O(m·n²)
  package consuming func multiplied(byLower l: Tensor) -> Tensor {
    var product = self
    let n = product.columns(of: l)
    guard product.count > 0 else { return product }
    unsafe cblas_strmm(
      CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit,
      blasint(product.count / n), blasint(n), 1, l.elements, blasint(n), &product.elements,
      blasint(n))
    return product
  }

  /// A·L⁻¹ for a matrix `[m, n]` and a lower triangular L `[n, n]` without zeros on its diagonal; the result has the
  /// shape of A.
  /// - Complexity: O(m·n²)
  package consuming func divided(byLower l: Tensor) -> Tensor {
    (consume self).divided(by: l, CblasNoTrans)
  }

  /// A·L⁻ᵀ for the same.
  /// - Complexity: O(m·n²)
  package consuming func divided(byTransposedLower l: Tensor) -> Tensor {
    (consume self).divided(by: l, CblasTrans)
  }

  private consuming func divided(by l: Tensor, _ orientation: CBLAS_TRANSPOSE) -> Tensor {
    var quotient = self
    let n = quotient.columns(of: l)
    guard quotient.count > 0 else { return quotient }
    unsafe cblas_strsm(
      CblasRowMajor, CblasRight, CblasLower, orientation, CblasNonUnit,
      blasint(quotient.count / n), blasint(n), 1, l.elements, blasint(n), &quotient.elements,
      blasint(n))
    return quotient
  }

  /// Lᵀ·A for a matrix `[n, …]` and a lower triangular L `[n, n]`; the result has the shape of A.
  /// - Complexity: O(n²·m)
  package consuming func multiplied(fromLeftByTransposedLower l: Tensor) -> Tensor {
    var product = self
    let n = product.rows(of: l)
    let columns = product.count / n
    guard product.count > 0 else { return product }
    unsafe cblas_strmm(
      CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, blasint(n),
      blasint(columns), 1, l.elements, blasint(n), &product.elements, blasint(columns))
    return product
  }

  /// L⁻ᵀ·A for the same, without zeros on the diagonal of L.
  /// - Complexity: O(n²·m)
  package consuming func divided(fromLeftByTransposedLower l: Tensor) -> Tensor {
    var quotient = self
    let n = quotient.rows(of: l)
    let columns = quotient.count / n
    guard quotient.count > 0 else { return quotient }
    unsafe cblas_strsm(
      CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, blasint(n),
      blasint(columns), 1, l.elements, blasint(n), &quotient.elements, blasint(columns))
    return quotient
  }

  private func rows(of l: Tensor) -> Int {
    let n = l.shape.rows
    precondition(
      l.shape.columns == n && n > 0 && shape.rows == n, "a triangle \(l.shape) times \(shape)")
    return n
  }

  /// The order of a triangle that the rows of this tensor, as runs of so many numbers, go through.
  private func columns(of l: Tensor) -> Int {
    let n = l.shape.rows
    precondition(
      l.shape.columns == n && n > 0 && count.isMultiple(of: n),
      "\(shape) times a triangle \(l.shape)")
    return n
  }
}
