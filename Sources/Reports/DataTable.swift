/// Rows of cells under titles, as a page shows them.
package struct DataTable: Sendable {
  package struct Column: Sendable {
    package let title: String
    /// Begins the classes by which the style knows its cells; nil for cells like any.
    fileprivate let mark: Character?

    /// Aligned to the right, with digits of one width.
    package static func number(_ title: String) -> Column { Column(title: title, mark: "n") }
    package static func text(_ title: String) -> Column { Column(title: title, mark: nil) }
    /// A short name or a date, which stays in one line.
    package static func word(_ title: String) -> Column { Column(title: title, mark: "w") }
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
    let classes = columns.indices.compactMap { index in
      columns[index].mark.map { "\($0)\(index + 1)" }
    }
    var text = "<table\(classes.isEmpty ? "" : " class=\"\(classes.joined(separator: " "))\"")>\n"
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
