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

  package mutating func append(_ row: [String]) { rows.append(row) }

  package var text: String {
    let lines = [header] + rows
    let widths = header.indices.map { column in
      lines.map { $0[column].count }.max() ?? 0
    }
    return lines.map { line in
      let cells = zip(line, widths).enumerated().map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.count)
        return rightAligned.contains(column) ? padding + cell.0 : cell.0 + padding
      }
      return cells.joined(separator: "  ").trimmingTrailingSpaces + "\n"
    }.joined()
  }
}

extension String {
  fileprivate var trimmingTrailingSpaces: String {
    guard let end = lastIndex(where: { $0 != " " }) else { return "" }
    return String(self[...end])
  }
}
