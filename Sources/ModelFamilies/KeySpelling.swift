/// One way in which a component's keys may be spelled in a checkpoint: a prefix and a column of names.
struct KeySpelling {
  /// Index of the component in the definition.
  let component: UInt8
  let table: NameTable
  let column: Int
  let naming: Int
  /// The column whose names the graph of the model has; nil where the family lists none.
  let graph: Int?
  let adapterPrefix: String
  let prefix: [UInt8]
  /// What the checkpoint leaves out after the prefix.
  let inserted: [UInt8]

  /// The place of the key by this spelling.
  func match(_ key: [UInt8]) -> NameTable.Match? {
    guard key.count > prefix.count, key.starts(with: prefix) else { return nil }
    return inserted.isEmpty
      ? table.match(key: key, from: prefix.count, column: column)
      : table.match(key: inserted + key[prefix.count...], from: 0, column: column)
  }

  /// The name of the place in the graph of the model; nil where it has none of its own.
  func graphPath(of match: NameTable.Match, part: Int) -> String? {
    let stems = table.rows[match.row].stems
    guard let graph, graph != naming, stems[graph].count == stems[naming].count else { return nil }
    return table.name(of: match, column: graph, part: part)
  }

  /// The name of a parameter that is no module's in the graph of the model, or as it is spelled.
  func graphName(ofParameter match: NameTable.Match) -> String? {
    table.name(of: match, column: graph ?? column, part: match.part)
  }

  /// The spellings to try on the checkpoint's keys, prefixed ones first. Of columns that share a prefix
  /// only the one that knows most keys is kept: some names mean a place in both.
  static func all(of family: FamilyTables, in keys: [[UInt8]]) -> [KeySpelling] {
    var prefixed: [KeySpelling] = []
    var bare: [KeySpelling] = []
    for (index, component) in family.definition.components.enumerated() {
      let table = family.tables[index]
      var candidates: [KeySpelling] = []
      for layout in component.layouts {
        candidates += layout.keys.map { prefix in
          KeySpelling(
            component: UInt8(index), table: table, column: table.column(layout.column),
            naming: table.column(layout.naming),
            graph: component.graph.map { table.column($0) },
            adapterPrefix: layout.prefix,
            prefix: Array(prefix.utf8), inserted: Array((layout.inserting ?? "").utf8))
        }
      }
      while let prefix = candidates.first?.prefix {
        var rivals = candidates.filter { $0.prefix == prefix }
        candidates.removeAll { $0.prefix == prefix }
        if Set(rivals.map(\.column)).count > 1 { rivals = [mostKnowing(rivals, keys)] }
        if prefix.isEmpty { bare += rivals } else { prefixed += rivals }
      }
    }
    return prefixed + bare
  }

  private static func mostKnowing(
    _ spellings: [KeySpelling], _ keys: [[UInt8]]
  ) -> KeySpelling {
    let counts = spellings.map { spelling in
      keys.count { spelling.match($0) != nil }
    }
    return spellings[counts.firstIndex(of: counts.max()!)!]
  }
}
