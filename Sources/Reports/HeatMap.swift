/// Numbers of places that lie in rows and columns: kinds of layers by blocks of a model.
package struct HeatMap: Sendable {
  package struct Column: Sendable, Equatable {
    /// Of neighbours that belong together, whose name is written once.
    package let group: String
    /// Within its group.
    package let label: String
    /// In full, for the table and where the pointer rests.
    package let name: String

    /// - Parameter name: nil for group and label together.
    package init(_ label: String, in group: String = "", name: String? = nil) {
      (self.label, self.group) = (label, group)
      self.name =
        name ?? (group.isEmpty || label.isEmpty ? group + label : "\(group).\(label)")
    }
  }

  package struct Cell: Sendable {
    package let value: Double
    /// The number as it is told.
    package let text: String

    package init(_ value: Double, _ text: String) { (self.value, self.text) = (value, text) }
  }

  package let title: String
  /// What the numbers are, beside the legend.
  package let measure: String
  package let isLogarithmic: Bool
  package let rows: [String]
  package let columns: [Column]
  /// By row and column; nil where there is nothing.
  package let cells: [[Cell?]]

  /// - Precondition: `cells` has a row for each of `rows`, and a cell in it for each of `columns`.
  package init(
    _ title: String, measure: String, isLogarithmic: Bool = false, rows: [String],
    columns: [Column], cells: [[Cell?]]
  ) {
    precondition(
      cells.count == rows.count && cells.allSatisfy { $0.count == columns.count },
      "cells of a heat map of \(rows.count) rows and \(columns.count) columns")
    (self.title, self.measure, self.isLogarithmic) = (title, measure, isLogarithmic)
    (self.rows, self.columns, self.cells) = (rows, columns, cells)
  }
}
