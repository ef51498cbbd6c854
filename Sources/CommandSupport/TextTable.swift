/// Columns of text, each as wide as its widest cell; numbers are set right.
package struct TextTable {
  private let header: [String]
  private let rightAligned: Set<Int>
  private var rows: [[String]] = []

  /// - Parameter rightAligned: columns of numbers.
  package init(_ header: [String], rightAligned: Set<Int> = []) {
    self.header = header
    self.rightAligned = rightAligned
  }

  /// - Parameter row: what control characters it has are escaped.
  package mutating func append(_ row: [String]) { rows.append(row.map(\.printable)) }

  /// A line for every row, however long.
  package var text: String { text(width: nil) }

  /// - Parameter width: where rows are longer, their longest cells get lines of their own; nil for never.
  package func text(width: Int?) -> String {
    let lines = [header] + rows
    let widths = header.indices.map { column in
      lines.map { $0[column].count }.max() ?? 0
    }
    let total = widths.reduce(0, +) + 2 * max(widths.count - 1, 0)
    guard let width, total > width,
      let longest = widths.indices.max(by: { widths[$0] < widths[$1] })
    else {
      return lines.map { line($0, widths, header.indices) + "\n" }.joined()
    }
    let others = groups(
      of: header.indices.filter { $0 != longest }, widths, to: width - Self.indent)
    // A name stands above what is told of it, and a remark below.
    let isName = longest == 0
    return lines.map { cells in
      let own = cells[longest]
      let rest = others.map { line(cells, widths, $0) }
      let texts = isName ? [own] + rest : rest + [own]
      let indented = texts.enumerated().map { index, text in
        (index == 0 ? "" : String(repeating: " ", count: Self.indent)) + text + "\n"
      }
      return indented.filter { !$0.allSatisfy(\.isWhitespace) }.joined()
    }.joined()
  }

  /// Before what belongs to the line above.
  private static let indent = 4

  /// Columns side by side as far as there is room.
  private func groups(of columns: [Int], _ widths: [Int], to width: Int) -> [[Int]] {
    var groups: [[Int]] = []
    var used = 0
    for column in columns {
      if groups.isEmpty || used + 2 + widths[column] > width {
        groups.append([column])
        used = widths[column]
      } else {
        groups[groups.count - 1].append(column)
        used += 2 + widths[column]
      }
    }
    return groups
  }

  private func line(
    _ cells: [String], _ widths: [Int], _ columns: some Collection<Int>
  ) -> String {
    columns.map { column in
      let padding = String(repeating: " ", count: widths[column] - cells[column].count)
      return rightAligned.contains(column) ? padding + cells[column] : cells[column] + padding
    }.joined(separator: "  ").trimmingTrailingSpaces
  }
}

extension String {
  fileprivate var trimmingTrailingSpaces: String {
    guard let end = lastIndex(where: { $0 != " " }) else { return "" }
    return String(self[...end])
  }
}
