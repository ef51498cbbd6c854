import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Rows that do not lie side by side, against products of copies of them.
@Suite struct RowBlockTests {
  /// Tiles of equal height, and those of which the last begins within the one before it.
  static let extents = [1, 2, 3, 5, 6, 7, 8, 10, 11, 16, 17, 40]

  private func rows(_ count: Int) -> [Int] { (0..<count).map { ($0 * 7 + 3) % 47 } }

  private func copy(_ matrix: Tensor, _ rows: [Int]) -> Tensor {
    Tensor.stacked(rows.map { matrix.rows($0..<$0 + 1) })
  }

  @Test(arguments: extents, [1, 15, 16, 37])
  func productsOfRows(extent: Int, columns: Int) {
    let (x, y) = (Tensor(random: [47, columns], seed: 1), Tensor(random: [47, columns], seed: 2))
    let rows = rows(extent)
    // Sums of 37 products in another order.
    expectClose(
      y.products(ofRows: rows, with: x), copy(y, rows).matmulTransposed(copy(x, rows)),
      tolerance: 1e-6)
  }

  @Test(arguments: extents, [1, 15, 16, 37])
  func turnedRows(extent: Int, columns: Int) {
    let x = Tensor(random: [47, columns], seed: 3)
    let rotation = Tensor(random: [extent, extent], seed: 4)
    let rows = rows(extent)
    var turned = x
    turned.turnRows(rows, by: rotation)
    expectClose(copy(turned, rows), rotation.matmul(copy(x, rows)), tolerance: 1e-6)
    for row in 0..<47 where !rows.contains(row) {
      #expect(turned.rows(row..<row + 1) == x.rows(row..<row + 1))
    }
  }
}
