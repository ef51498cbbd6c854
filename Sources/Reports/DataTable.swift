/// Rows of cells under titles, as a page shows them.
package struct DataTable: Sendable {
  package struct Column: Sendable {
    package let title: String
    /// Numbers are aligned to the right, with digits of one width.
    package let isNumber: Bool

    package init(_ title: String, isNumber: Bool = false) {
      (self.title, self.isNumber) = (title, isNumber)
    }

    package static func number(_ title: String) -> Column { Column(title, isNumber: true) }
    package static func text(_ title: String) -> Column { Column(title) }
  }

  /// Rows that a page shows at most.
  package static let usualLimit = 4000

  package let columns: [Column]
  package private(set) var rows: [[String]] = []

  /// - Precondition: every row has a cell for each column.
  package init(_ columns: [Column], _ rows: [[String]] = []) {
    self.columns = columns
    for row in rows { append(row) }
  }

  package mutating func append(_ row: [String]) {
    precondition(row.count == columns.count, "\(row.count) cells for \(columns.count) columns")
    rows.append(row)
  }

  /// The element of a page.
  var html: String {
    // Told once for each column, not for every cell.
    let numbers = columns.indices.filter { columns[$0].isNumber }.map { "n\($0 + 1)" }
    var text = "<table\(numbers.isEmpty ? "" : " class=\"\(numbers.joined(separator: " "))\"")>\n"
    text += "<thead><tr>"
    for column in columns { text += "<th scope=\"col\">\(column.title.escapedForHTML)</th>" }
    text += "</tr></thead>\n<tbody>\n"
    for row in rows {
      text += "<tr>"
      for cell in row { text += "<td>\(cell.escapedForHTML)</td>" }
      text += "</tr>\n"
    }
    return text + "</tbody>\n</table>\n"
  }
}
