/// The tables of one folder of a target, as the build compiled them in: whatever lies there is found, and no file
/// is read when the program runs.
package struct EmbeddedFolder: Sendable {
  /// Text by name, the file's without `.toml`.
  private let texts: [String: String]

  /// - Parameters:
  ///   - folder: `Families`.
  ///   - files: `EmbeddedTables.files` of the target.
  package init(_ folder: String, of files: [(path: String, text: String)]) {
    let start = folder + "/"
    let entries = files.lazy.filter { $0.path.hasPrefix(start) }.map { path, text in
      (String(path.dropFirst(start.count).dropLast(".toml".count)), text)
    }
    texts = Dictionary(uniqueKeysWithValues: entries)
  }

  /// The file of that name as it stands; nil if there is none.
  package func text(_ name: String) -> String? { texts[name] }

  /// Traps if there is no table of that name.
  package func table(_ name: String) -> EmbeddedTable {
    guard let text = texts[name] else {
      preconditionFailure("no embedded table '\(name)' among \(texts.keys.sorted())")
    }
    return EmbeddedTable(text)
  }

  /// All tables with their names, by the number that each says as its `order`, then by name.
  package var inOrder: [(name: String, table: EmbeddedTable)] {
    texts.map { (name: $0.key, table: EmbeddedTable($0.value)) }
      .map { (entry: $0, order: $0.table.integer("order")) }
      .sorted { ($0.order, $0.entry.name) < ($1.order, $1.entry.name) }
      .map(\.entry)
  }
}
