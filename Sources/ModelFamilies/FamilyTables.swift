/// A family with the name tables of its components, in the definition's order.
struct FamilyTables: Sendable {
  let definition: FamilyDefinition
  let tables: [NameTable]

  /// - Complexity: reads the tables' text: about half a millisecond.
  init(_ definition: FamilyDefinition) {
    self.definition = definition
    tables = definition.components.map { component in
      NameTable(files: component.tables, root: component.root ?? "root")
    }
  }
}
