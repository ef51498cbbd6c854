import Synchronization

/// A family with the name tables of its components, in the definition's order.
struct FamilyTables: Sendable {
  let definition: FamilyDefinition
  let tables: [NameTable]
  /// What adapters may write before a component's names, by component.
  let prefixes: [[String]]
  /// The prefixes that a format, or a family itself, writes before names of a column, by component.
  private let written: [[(prefix: String, column: Int)]]

  /// What was read of the embedded tables so far.
  private struct Read {
    var families: [String: FamilyTables] = [:]
    /// Many families have the same text encoders.
    var tables: [NameTable.Source: NameTable] = [:]
  }
  private static let read = Mutex(Read())

  /// The tables of a family, which are read when it is first asked for: about half a millisecond.
  static func tables(of definition: FamilyDefinition) -> FamilyTables {
    read.withLock { read in
      if let known = read.families[definition.name] { return known }
      let tables = FamilyTables(definition, knowing: &read.tables)
      read.families[definition.name] = tables
      return tables
    }
  }

  /// - Parameter known: tables that were read already; those read here are added.
  private init(_ definition: FamilyDefinition, knowing known: inout [NameTable.Source: NameTable]) {
    self.definition = definition
    let tables = definition.components.map { component -> NameTable in
      let root = component.root ?? "root"
      guard !component.tables.isEmpty else {
        return NameTable([definition.names].compactMap(\.self), root: root)
      }
      let source = NameTable.Source(files: component.tables, root: root)
      if let table = known[source] { return table }
      let table = NameTable(source.files.map(NameTable.file), root: root)
      known[source] = table
      return table
    }
    self.tables = tables
    written = definition.components.enumerated().map { index, component in
      (component.names ?? [:]).values.map { ($0[1], tables[index].column($0[0])) }
        + component.layouts.map { ($0.prefix, tables[index].column($0.naming)) }
        + component.layouts.compactMap(\.extraction).map { ($0[1], tables[index].column($0[0])) }
    }
    prefixes = definition.components.map { component in
      let keys = component.layouts.flatMap(\.keys)
      // PEFT keeps each component in a folder or a file of its own, and calls all of them the same:
      // which component a file without folder may be is for `aliases` to say.
      let names = (component.names ?? [:]).filter { $0.key != AdapterFormat.peft.rawValue }
      let all =
        component.aliases + names.values.map { $0[1] } + keys
        + keys.filter { $0.hasSuffix("/") }.map { $0 + "base_model.model." }
      return Set(all).sorted()
    }
  }

  /// Whether some format writes that prefix before names of that column.
  func isWritten(_ prefix: String, before column: Int, of component: Int) -> Bool {
    written[component].contains { $0.prefix == prefix && $0.column == column }
  }
}
