/// The tables of one folder of a target, as the build compiled them in: whatever lies there is found, and no file
/// is read or parsed when the program runs.
package struct EmbeddedFolder: Sendable {
  /// By name, the file's without `.toml`.
  private let packed: [String: String]

  /// - Parameters:
  ///   - folder: `Families`.
  ///   - files: `EmbeddedTables.files` of the target.
  package init(_ folder: String, of files: [(path: String, packed: String)]) {
    let start = folder + "/"
    let entries = files.lazy.filter { $0.path.hasPrefix(start) }.map { path, packed in
      (String(path.dropFirst(start.count).dropLast(".toml".count)), packed)
    }
    packed = Dictionary(uniqueKeysWithValues: entries)
  }

  /// The table of that name; nil if there is none.
  package func table(ifAny name: String) -> EmbeddedTable? {
    packed[name].map { EmbeddedTable(packed: $0) }
  }

  /// Traps if there is no table of that name.
  package func table(_ name: String) -> EmbeddedTable {
    guard let table = table(ifAny: name) else {
      preconditionFailure("no embedded table '\(name)' among \(packed.keys.sorted())")
    }
    return table
  }

  /// All tables with their names, by the number that each says as its `order`, then by name.
  package var inOrder: [(name: String, table: EmbeddedTable)] {
    packed.map { (name: $0.key, table: EmbeddedTable(packed: $0.value)) }
      .map { (entry: $0, order: $0.table.integer("order")) }
      .sorted { ($0.order, $0.entry.name) < ($1.order, $1.entry.name) }
      .map(\.entry)
  }
}
