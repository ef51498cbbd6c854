private import CBLAS
package import Tensors

extension Tensor {
  /// X with A·X = B, by LU decomposition with partial pivoting.
  /// - Parameter b: `[n, k]`, or `[n]` for one right-hand side; the result has its shape.
  /// - Precondition: A is square, `[n, n]`, and B has n rows.
  /// - Complexity: O(n³ + n²·k)
  /// - Throws: `LinearAlgebraError.singular` if a pivot is exactly 0, `.notFinite`, `.tooLarge`
  package func solve(_ b: Tensor) throws(LinearAlgebraError) -> Tensor {
    precondition(
      shape.rows == shape.columns && b.shape.rows == shape.rows,
      "solving \(shape) · X = \(b.shape)")
    let (n, _) = try checked(for: .solve)
    let (_, k) = try b.checked(for: .solve)
    guard n > 0, k > 0 else { return b }
    var a = elements
    var x = b
    var pivots = [Int32](repeating: 0, count: Int(n))
    let info = unsafe blas.pointee.LAPACKE_sgesv(
      LAPACK_ROW_MAJOR, n, k, &a, n, &pivots, &x.elements, k)
    guard info >= 0 else { throw .tooLarge(.solve, shape) }
    guard info == 0 else { throw .singular(.solve, shape) }
    return x
  }
}
