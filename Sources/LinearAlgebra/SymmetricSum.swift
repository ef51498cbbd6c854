private import COpenBLAS
package import Tensors

/// A sum of x·xᵀ over many rows x, of which one triangle is added to.
package struct SymmetricSum: Sendable {
  private var triangle: Tensor

  package init(order: Int) { triangle = Tensor(zeros: [order, order]) }

  /// Adds AᵀA.
  /// - Parameter rows: A, `[m, n]`
  /// - Complexity: O(m·n²), half of a product
  package mutating func add(_ rows: Tensor) {
    let n = triangle.shape.rows
    precondition(rows.shape.columns == n, "rows \(rows.shape) for a sum of order \(n)")
    guard rows.count > 0 else { return }
    unsafe cblas_ssyrk(
      CblasRowMajor, CblasLower, CblasTrans, blasint(n), blasint(rows.shape.rows), 1,
      rows.elements, blasint(n), 1, &triangle.elements, blasint(n))
  }

  /// The whole sum times a factor, `[n, n]`.
  package consuming func whole(times factor: Float) -> Tensor {
    var result = triangle * factor
    let n = result.shape.rows
    for i in 0..<n {
      for j in 0..<i { result.elements[j * n + i] = result.elements[i * n + j] }
    }
    return result
  }
}
