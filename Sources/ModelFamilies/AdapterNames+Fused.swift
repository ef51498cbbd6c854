import Tensors

/// Fused names for modules that a checkpoint, or its family's naming, keeps apart, and names of weights
/// whose halves stand in the other order there.
extension AdapterNames {
  /// The modules, or rows of one, that together are what `name` means, if its rows are not one range of
  /// rows in the checkpoint; more than one entry if it can mean several such places.
  func split(named name: String, among modules: [FamilyModule]) -> [SplitModule] {
    guard let family else { return [] }
    var found: [SplitModule] = []
    for spelling in name.spellings where found.isEmpty {
      for place in family.places(named: spelling) {
        guard let split = self.split(at: place, in: family, among: modules),
          !found.contains(split)
        else { continue }
        found.append(split)
      }
    }
    return found
  }

  /// The parts of a place in the naming of the checkpoint; nil unless that has several for it, and
  /// the checkpoint one of them.
  private func split(
    at place: FamilyTables.Place, in family: FamilyTables, among modules: [FamilyModule]
  ) -> SplitModule? {
    let component = family.definition.components[place.component]
    let table = family.tables[place.component]
    let row = table.rows[place.match.row]
    for layout in component.layouts {
      let naming = table.column(layout.naming)
      let count = row.stems[naming].count
      guard row.stems[place.column].count == 1, count > 1 else {
        guard let module = module(at: place, in: layout, table, component.name, among: modules),
          row.swapsHalves(from: place.column, to: naming, of: module.shape) == true
        else { continue }
        return module.swappedHalves.map { SplitModule(parts: $0, missing: []) }
      }
      var parts: [FamilyModule] = []
      var missing: [String] = []
      for part in 0..<count {
        guard let path = table.name(of: place.match, column: naming, part: part) else { continue }
        let candidates = indices(layout.prefix + path.underscored).map { modules[$0] }
        if let module = candidates.first(where: { $0.component == component.name }) {
          parts.append(module)
        } else {
          missing.append(path)
        }
      }
      if !parts.isEmpty { return SplitModule(parts: parts, missing: missing) }
    }
    return nil
  }

  /// The one module of the checkpoint that a layout calls the place; nil if the names differ in parts.
  private func module(
    at place: FamilyTables.Place, in layout: FamilyDefinition.Layout, _ table: NameTable,
    _ component: String, among modules: [FamilyModule]
  ) -> FamilyModule? {
    let naming = table.column(layout.naming)
    let row = table.rows[place.match.row]
    guard row.stems[place.column].count == 1, row.stems[naming].count == 1,
      let path = table.name(of: place.match, column: naming, part: 0)
    else { return nil }
    return indices(layout.prefix + path.underscored).map { modules[$0] }
      .first { $0.component == component }
  }
}

extension FamilyModule {
  /// The lower half of the rows, then the upper one, as modules of the same name; nil if there are no
  /// halves.
  fileprivate var swappedHalves: [FamilyModule]? {
    guard shape.rows > 0, shape.rows % 2 == 0 else { return nil }
    let half = shape.rows / 2
    let start = weight.rows?.lowerBound ?? 0
    return [start + half..<start + 2 * half, start..<start + half].map { rows in
      FamilyModule(
        component: component, role: role, path: path, adapterName: adapterName,
        containers: containers, kind: kind, shape: Shape([half] + shape.dimensions.dropFirst()),
        weight: ParameterSlot(key: weight.key, rows: rows),
        bias: bias.map { ParameterSlot(key: $0.key, rows: rows) })
    }
  }
}
