/// Pictures in rows and columns on white, with labels above the columns and left of the rows.
package struct PictureGrid: Sendable {
  /// What stands above and to the left; nothing where all are empty.
  package let columns: [String]
  package let rows: [String]
  /// Room for each picture.
  package let cellWidth: Int
  package let cellHeight: Int
  /// Pixels of the whole.
  package let width: Int
  package let height: Int
  /// Row by row.
  private var cells: [RasterImage?]

  /// Pixels of a dot of the letters, so that a label has some forty of them above a square picture.
  private let scale: Int
  /// Between pictures, and around all.
  private let gap: Int
  /// Where the first picture begins.
  private let left, top: Int
  private let columnLabels, rowLabels: [WrappedLabel]

  private static let mostColumnLines = 4
  private static let mostRowLetters = 24

  /// - Parameters:
  ///   - columns: labels, one for each; empty for none.
  ///   - rows: the same.
  /// - Precondition: there is a row and a column, and cells have room.
  package init(columns: [String], rows: [String], cellWidth: Int, cellHeight: Int) {
    precondition(
      !columns.isEmpty && !rows.isEmpty && cellWidth > 0 && cellHeight > 0,
      "a grid of \(columns.count) by \(rows.count) pictures of \(cellWidth)x\(cellHeight)")
    (self.columns, self.rows) = (columns, rows)
    (self.cellWidth, self.cellHeight) = (cellWidth, cellHeight)
    let scale = max(1, min(cellWidth, cellHeight) / 256)
    let gap = 4 * scale
    let letters = max(1, cellWidth / (BitmapFont.advance * scale))
    let lines = max(1, cellHeight / (BitmapFont.lineHeight * scale))
    columnLabels = columns.map {
      WrappedLabel($0, width: letters, lines: Self.mostColumnLines)
    }
    rowLabels = rows.map { WrappedLabel($0, width: Self.mostRowLetters, lines: lines) }
    let rowWidth = (rowLabels.map(\.width).max() ?? 0) * BitmapFont.advance * scale
    let columnHeight = (columnLabels.map(\.lines.count).max() ?? 0) * BitmapFont.lineHeight * scale
    left = gap + (rowWidth > 0 ? rowWidth + gap : 0)
    top = gap + columnHeight
    width = left + columns.count * (cellWidth + gap)
    height = top + rows.count * (cellHeight + gap)
    (self.scale, self.gap) = (scale, gap)
    cells = Array(repeating: nil, count: columns.count * rows.count)
  }

  /// The picture at a place, no larger than a cell; nil leaves it white.
  package subscript(row row: Int, column column: Int) -> RasterImage? {
    get { cells[index(row, column)] }
    set {
      if let newValue {
        precondition(
          newValue.width <= cellWidth && newValue.height <= cellHeight,
          "\(newValue.width)x\(newValue.height) pixels in a cell of \(cellWidth)x\(cellHeight)")
      }
      cells[index(row, column)] = newValue
    }
  }

  private func index(_ row: Int, _ column: Int) -> Int {
    precondition(
      rows.indices.contains(row) && columns.indices.contains(column),
      "row \(row), column \(column) of \(rows.count) by \(columns.count)")
    return row * columns.count + column
  }

  /// The whole as a picture; smaller pictures lie in the middle of their cells.
  package func drawn() -> RasterImage {
    var canvas = Canvas(width: width, height: height)
    let (advance, line) = (BitmapFont.advance * scale, BitmapFont.lineHeight * scale)
    for (column, label) in columnLabels.enumerated() {
      let middle = left + column * (cellWidth + gap) + cellWidth / 2
      let first = top - label.lines.count * line
      for (number, text) in label.lines.enumerated() {
        canvas.write(
          text, x: middle - text.count * advance / 2, y: first + number * line, scale: scale)
      }
    }
    for (row, label) in rowLabels.enumerated() {
      let first = top + row * (cellHeight + gap) + (cellHeight - label.lines.count * line) / 2
      for (number, text) in label.lines.enumerated() {
        canvas.write(text, x: gap, y: first + number * line, scale: scale)
      }
    }
    for row in rows.indices {
      for column in columns.indices {
        guard let image = self[row: row, column: column] else { continue }
        canvas.put(
          image, x: left + column * (cellWidth + gap) + (cellWidth - image.width) / 2,
          y: top + row * (cellHeight + gap) + (cellHeight - image.height) / 2)
      }
    }
    return canvas.image
  }
}
