import CKernels
package import Tensors

/// A matrix turned so that it is wide, as panels of 16 columns, one behind the other.
///
/// Thin products read it as it lies: rows of a matrix that are a power of two apart share their cache lines, so that it
/// would have to be copied for each of them. The last panel is filled up with zeros.
package struct PanelMatrix: Sendable {
  /// The matrix `[rows, columns]`; any tensor counts as its matrix.
  package let shape: Shape
  /// ‖A‖²_F as it was read.
  package let energy: Double
  /// Element (i, j), i on the shorter side, is at `(j / 16 · short + i) · 16 + j % 16`.
  var elements: [Float]

  /// Columns of a panel.
  static let width = Int(LYCO_PANEL_WIDTH)

  /// Whether the shorter side is that of the rows.
  var isWide: Bool { shape.rows <= shape.columns }
  var short: Int { min(shape.rows, shape.columns) }
  var long: Int { max(shape.rows, shape.columns) }
  /// Numbers of a panel.
  var panelCount: Int { short * Self.width }
  var panels: Int { (long + Self.width - 1) / Self.width }

  /// Numbers of a row that are read at once: with those of 15 rows more they stay in the first-level cache.
  private static let step = (wide: 512, tall: 256)
  /// Most numbers that `read` is asked for at once.
  package static let longestPart = step.wide

  /// - Parameters:
  ///   - shape: of the matrix.
  ///   - read: puts the numbers of a row, in a range of columns, at an address. Every number is asked for once.
  /// - Complexity: O(m·n), one writing to memory.
  package init(
    _ shape: Shape,
    read: (_ row: Int, _ columns: Range<Int>, _ target: UnsafeMutablePointer<Float>) -> Void
  ) {
    let matrix = shape.asMatrix
    let (short, long) = (min(matrix.rows, matrix.columns), max(matrix.rows, matrix.columns))
    let width = Self.width
    let count = (long + width - 1) / width * width * short
    var energy = 0.0
    let buffer = UnsafeMutablePointer<Float>.allocate(capacity: width * Self.step.wide)
    defer { unsafe buffer.deallocate() }
    unsafe buffer.initialize(repeating: 0, count: width * Self.step.wide)
    elements = unsafe [Float](unsafeUninitializedCapacity: count) { target, initialized in
      initialized = count
      guard let target = target.baseAddress, count > 0 else { return }
      unsafe adviseHugePages(target, count)
      if matrix.rows <= matrix.columns {
        for from in stride(from: 0, to: long, by: Self.step.wide) {
          let columns = from..<min(from + Self.step.wide, long)
          let panels = (columns.count + width - 1) / width
          // Behind the last column of all.
          for j in columns.count..<panels * width { unsafe buffer[j] = 0 }
          for i in 0..<short {
            unsafe read(i, columns, buffer)
            unsafe energy += lyco_sum_of_squares(buffer, columns.count)
            unsafe lyco_pack_columns(buffer, panels, target + from * short + i * width, short)
          }
        }
      } else {
        let step = Self.step.tall
        for first in stride(from: 0, to: long, by: width) {
          let rows = first..<min(first + width, long)
          // Behind the last row of all.
          unsafe (buffer + rows.count * step).update(
            repeating: 0, count: (width - rows.count) * step)
          for from in stride(from: 0, to: short, by: step) {
            let columns = from..<min(from + step, short)
            for i in rows {
              let row = unsafe buffer + (i - first) * step
              unsafe read(i, columns, row)
              unsafe energy += lyco_sum_of_squares(row, columns.count)
            }
            unsafe lyco_pack_rows(
              buffer, step, columns.count, target + first * short + from * width)
          }
        }
      }
    }
    self.shape = matrix
    self.energy = energy
  }

  /// - Complexity: O(m·n)
  init(_ tensor: Tensor) {
    let width = tensor.shape.columns
    self = unsafe tensor.elements.withUnsafeBufferPointer { source in
      unsafe PanelMatrix(tensor.shape) { row, columns, target in
        guard let source = source.baseAddress else { return }
        unsafe target.update(from: source + row * width + columns.lowerBound, count: columns.count)
      }
    }
  }

  /// The matrix, row by row.
  /// - Complexity: O(m·n)
  package var tensor: Tensor {
    let (short, long, width, panelCount) = (short, long, Self.width, panelCount)
    return unsafe Tensor(uninitialized: shape) { target in
      unsafe elements.withUnsafeBufferPointer { source in
        for panel in 0..<panels {
          let count = min(width, long - panel * width)
          for i in 0..<short {
            let from = panel * panelCount + i * width
            for j in 0..<count {
              let place = isWide ? i * long + panel * width + j : (panel * width + j) * short + i
              unsafe target[place] = source[from + j]
            }
          }
        }
      }
    }
  }
}
