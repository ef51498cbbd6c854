/// Fused names for modules that a checkpoint, or its family's naming, keeps apart.
extension AdapterNames {
  /// The modules that together are what `name` means, if it names one weight where the family has
  /// several; more than one entry if it can mean several such places.
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
      guard row.stems[place.column].count == 1, count > 1 else { continue }
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
}
