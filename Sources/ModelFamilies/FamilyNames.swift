package import Tensors

/// The names of one family's modules in every format.
package struct FamilyNames: Sendable {
  private let family: FamilyTables

  /// nil for `generic`, whose names are those of each checkpoint.
  /// - Complexity: reads the tables' text: about half a millisecond.
  package init?(of family: ModelFamily) {
    guard let definition = family.definition else { return nil }
    self.family = FamilyTables.tables(of: definition)
  }

  /// The short name of the family.
  package var name: String { family.definition.name }

  /// The places that an adapter can mean by `name`: none if the tables do not know it, several if it
  /// is ambiguous.
  ///
  /// The name of a component's folder and a slash may stand before it: `text_encoder_2/base_model.model.…`.
  package func places(named name: String) -> [ModulePlace] {
    let spellings = name.spellings
    for spelling in spellings {
      let found = placesInFolder(spelling)
      if !found.isEmpty { return found }
    }
    for spelling in spellings {
      let found = places(spelled: spelling)
      if !found.isEmpty { return found }
    }
    return []
  }

  /// The places of a name after that of its component's folder.
  private func placesInFolder(_ name: String) -> [ModulePlace] {
    guard let slash = name.firstIndex(of: "/") else { return [] }
    let folder = String(name[..<slash])
    let rest = String(name[name.index(after: slash)...])
    let path =
      rest.hasPrefix(Self.pathPrefix) ? String(rest.dropFirst(Self.pathPrefix.count)) : rest
    for spelling in ["\(folder).\(path)", rest] {
      let found = places(spelled: spelling).filter { self.folder(of: $0.component) == folder }
      if !found.isEmpty { return found }
    }
    return []
  }

  /// What PEFT puts before the path of every module.
  private static let pathPrefix = "base_model.model."

  private func places(spelled name: String) -> [ModulePlace] {
    var found: [ModulePlace] = []
    for place in family.places(named: name) {
      let parts = family.tables[place.component].rows[place.match.row].stems[place.column].count
      let component = family.definition.components[place.component]
      let candidate = ModulePlace(
        component: component.name, role: component.role, rows: place.match.rows,
        numbers: place.match.numbers, part: parts > 1 ? place.match.part : nil,
        column: place.column)
      if !found.contains(candidate) { found.append(candidate) }
    }
    return found
  }

  /// The folder of diffusers' layout that holds the component: `unet`, `transformer`, `text_encoder_2`.
  package func folder(of component: String) -> String? {
    let names = family.definition.components.first { $0.name == component }?.names
    return names?[AdapterFormat.diffusers.rawValue].map { String($0[1].dropLast()) }
  }

  /// What the component is for; nil if the family has none of that name.
  package func role(of component: String) -> ComponentRole? {
    family.definition.components.first { $0.name == component }?.role
  }

  /// What `format` calls the place; nil if it has no name for it.
  /// - Parameter weightShape: of the weight that is adapted, if it is known: of a few modules only it
  ///   tells in which order the rows stand, and without it these have no name in another order.
  package func spelling(
    of place: ModulePlace, in format: AdapterFormat, weightShape: Shape? = nil
  ) -> PlaceSpelling? {
    guard let index = index(of: place.component), let name = column(of: format, at: index) else {
      return nil
    }
    return spelling(
      of: place, at: index, name, isUnderscored: format.isUnderscored, weightShape: weightShape)
  }

  /// What an adapter that is extracted from checkpoints calls a place: as in kohya's scripts, or else as
  /// the programs know it that load their names; nil if there is no such name.
  /// - Parameters:
  ///   - place: as the layout of the checkpoint calls it.
  ///   - isShared: whether the other checkpoint calls it the same, and its name may stay.
  package func extractedSpelling(
    of place: ModulePlace, isShared: Bool, weightShape: Shape
  ) -> PlaceSpelling? {
    guard let index = index(of: place.component) else { return nil }
    let component = family.definition.components[index]
    let layout = component.layouts.first { family.tables[index].column($0.naming) == place.column }
    if isShared, layout?.extraction == nil { return nil }
    let kohya = column(of: .kohya, at: index)
    guard
      let name = layout?.extraction.map({ (family.tables[index].column($0[0]), $0[1]) }) ?? kohya
    else { return nil }
    return spelling(of: place, at: index, name, isUnderscored: true, weightShape: weightShape)
  }

  private func index(of component: String) -> Int? {
    family.definition.components.firstIndex { $0.name == component }
  }

  private func spelling(
    of place: ModulePlace, at index: Int, _ naming: (column: Int, prefix: String),
    isUnderscored: Bool, weightShape: Shape?
  ) -> PlaceSpelling? {
    let (column, prefix) = naming
    let table = family.tables[index]
    let row = table.rows[place.rows[place.rows.count - 1]]
    let match = NameTable.Match(
      rows: place.rows, numbers: place.numbers, part: place.part ?? 0, role: .weight)
    func name(part: Int) -> String? {
      table.name(of: match, column: column, part: part).map {
        prefix + (isUnderscored ? $0.underscored : $0)
      }
    }
    let stems = row.stems[column]
    if let part = place.part, stems.count == 1 {
      guard let name = name(part: 0),
        let split = row.stems.first(where: { $0.count > 1 && part < $0.count })
      else { return nil }
      return .part(of: name, index: part, shares: split.map(\.share))
    }
    if place.part == nil, stems.count > 1 {
      let names = stems.indices.compactMap { name(part: $0) }
      return names.count == stems.count
        ? .parts(names: names, shares: stems.map(\.share)) : nil
    }
    guard !row.transposes(from: place.column, to: column), let name = name(part: place.part ?? 0),
      let swapsHalves = row.swapsHalves(from: place.column, to: column, of: weightShape)
    else { return nil }
    return .same(name, swapsHalves: swapsHalves)
  }

  /// The column that a format takes names from, and what it puts before them.
  private func column(of format: AdapterFormat, at index: Int) -> (Int, prefix: String)? {
    let component = family.definition.components[index]
    var candidate: AdapterFormat? = format
    while let format = candidate {
      if let entry = component.names?[format.rawValue] {
        return (family.tables[index].column(entry[0]), entry[1])
      }
      candidate = format.substitute
    }
    return nil
  }
}
