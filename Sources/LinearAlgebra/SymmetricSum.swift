private import CBLAS
package import Tensors

/// A sum of x·xᵀ over many rows x, of which one triangle is added to.
package struct SymmetricSum: Sendable {
  private var triangle: Tensor

  /// Rows that are mirrored at a time.
  private static let band = 64

  package init(order: Int) { triangle = Tensor(zeros: [order, order]) }

  /// Adds AᵀA.
  /// - Parameter rows: A, `[m, n]`
  /// - Complexity: O(m·n²), half of a product
  package mutating func add(_ rows: Tensor) {
    let n = triangle.shape.rows
    precondition(rows.shape.columns == n, "rows \(rows.shape) for a sum of order \(n)")
    guard rows.count > 0 else { return }
    unsafe blas.pointee.cblas_ssyrk(
      CblasRowMajor, CblasLower, CblasTrans, blasint(n), blasint(rows.shape.rows), 1,
      rows.elements, blasint(n), 1, &triangle.elements, blasint(n))
  }

  /// The whole sum times a factor, `[n, n]`.
  package consuming func whole(times factor: Float) -> Tensor {
    var result = triangle * factor
    let n = result.shape.rows
    unsafe result.elements.withUnsafeMutableBufferPointer { elements in
      guard let elements = elements.baseAddress else { return }
      for first in stride(from: 0, to: n, by: Self.band) {
        let end = min(first + Self.band, n)
        // What lies left of a band, above its columns; then the square on the diagonal.
        if first > 0 {
          unsafe copyTransposed(
            end - first, first, elements + first * n, n, elements + first, n)
        }
        for i in first..<end {
          for j in first..<i { unsafe elements[j * n + i] = elements[i * n + j] }
        }
      }
    }
    return result
  }
}
