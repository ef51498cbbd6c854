import CKernels
import Tensors

/// Puts the numbers of a matrix, as they are read, into panels of some width.
@unsafe struct PanelWriter {
  /// Columns of a panel, or of those that lie together.
  let width: Int
  /// Numbers of a row that are read at once where rows are those of the longer side: with those of `width` rows they stay
  /// in the first-level cache.
  let step: Int
  /// Packs `count` groups of columns, from column `from` on, of row i of the shorter side.
  let packColumns: (_ numbers: UnsafePointer<Float>, _ count: Int, _ i: Int, _ from: Int) -> Void
  /// Packs rows of the longer side from `first` on, `count` numbers of each from `from` on, which lie `step` apart.
  let packRows: (_ numbers: UnsafePointer<Float>, _ count: Int, _ first: Int, _ from: Int) -> Void

  /// Numbers that all panels of a matrix have.
  static func count(_ matrix: Shape, width: Int) -> Int {
    let (short, long) = (min(matrix.rows, matrix.columns), max(matrix.rows, matrix.columns))
    return (long + width - 1) / width * width * short
  }

  /// Reads all numbers of a matrix.
  /// - Parameter known: ‖A‖²_F, where it is known.
  /// - Returns: ‖A‖²_F
  func write(
    _ matrix: Shape, reading read: PanelMatrix.Reading, energy known: Double?
  ) -> Double {
    let (short, long) = (min(matrix.rows, matrix.columns), max(matrix.rows, matrix.columns))
    var energy = 0.0
    let capacity = unsafe max(PanelMatrix.longestPart, width * step)
    let buffer = UnsafeMutablePointer<Float>.allocate(capacity: capacity)
    defer { unsafe buffer.deallocate() }
    unsafe buffer.initialize(repeating: 0, count: capacity)
    if matrix.rows <= matrix.columns {
      for from in stride(from: 0, to: long, by: PanelMatrix.longestPart) {
        let columns = from..<min(from + PanelMatrix.longestPart, long)
        let groups = unsafe (columns.count + width - 1) / width
        // Behind the last column of all.
        unsafe (buffer + columns.count).update(repeating: 0, count: groups * width - columns.count)
        for i in 0..<short {
          unsafe read(i, columns, buffer)
          if known == nil { unsafe energy += lyco_sum_of_squares(buffer, columns.count) }
          unsafe packColumns(buffer, groups, i, from)
        }
      }
    } else {
      for first in unsafe stride(from: 0, to: long, by: width) {
        let rows = unsafe first..<min(first + width, long)
        // Behind the last row of all.
        unsafe (buffer + rows.count * step).update(
          repeating: 0, count: (width - rows.count) * step)
        for from in unsafe stride(from: 0, to: short, by: step) {
          let columns = unsafe from..<min(from + step, short)
          for i in rows {
            let row = unsafe buffer + (i - first) * step
            unsafe read(i, columns, row)
            if known == nil { unsafe energy += lyco_sum_of_squares(row, columns.count) }
          }
          unsafe packRows(buffer, columns.count, first, from)
        }
      }
    }
    return known ?? energy
  }
}
