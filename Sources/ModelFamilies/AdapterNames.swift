import Tensors

/// Finds the modules that adapters mean, whatever tool wrote their names.
struct AdapterNames: Sendable {
  /// The family of the checkpoint; `nil` if it has none.
  let family: FamilyTables?
  /// Index of a module by adapter name; of generic modules by each of their underscored names.
  private var first: [String: Int] = [:]
  /// Indices of the other modules by names that several have.
  private var others: [String: [Int]] = [:]

  init(of modules: [FamilyModule], family: FamilyTables?) {
    self.family = family
    first.reserveCapacity(modules.count)
    for (index, module) in modules.enumerated() { add(module.adapterName, index) }
    if family == nil { addUnderscoredNames(of: modules) }
  }

  /// Enters a name of the module at `index`.
  mutating func add(_ name: String, _ index: Int) {
    if first[name] == nil {
      first[name] = index
    } else {
      others[name, default: []].append(index)
    }
  }

  /// The modules that were entered under that very name.
  func indices(_ name: String) -> [Int] {
    first[name].map { [$0] + (others[name] ?? []) } ?? []
  }

  /// All modules, or slices of them, that `name` can mean: as it is, or else without the words that
  /// wrappers around a model leave in names.
  func modules(named name: String, among modules: [FamilyModule]) -> [FamilyModule] {
    for spelling in name.spellings {
      let found = self.modules(spelled: spelling, among: modules)
      if !found.isEmpty { return found }
    }
    return []
  }

  private func modules(spelled name: String, among modules: [FamilyModule]) -> [FamilyModule] {
    let exact = indices(name)
    if !exact.isEmpty { return exact.map { modules[$0] } }
    guard let family else { return genericModules(named: name, among: modules) }
    var found: [FamilyModule] = []
    for place in family.places(named: name) {
      for module in self.modules(at: place, in: family, among: modules)
      where !found.contains(module) {
        found.append(module)
      }
    }
    return found
  }

  /// The modules of the checkpoint at a place, or the slice of one if the place is part of it.
  private func modules(
    at place: FamilyTables.Place, in family: FamilyTables, among modules: [FamilyModule]
  ) -> [FamilyModule] {
    let component = family.definition.components[place.component]
    let table = family.tables[place.component]
    let row = table.rows[place.match.row]
    let parts = row.stems[place.column].count
    var found: [FamilyModule] = []
    for layout in component.layouts {
      let naming = table.column(layout.naming)
      // A fused name for modules that are split means no single module, see `split(named:)`.
      guard row.stems[naming].count <= parts,
        let path = table.name(of: place.match, column: naming, part: place.match.part)
      else { continue }
      let indices = indices(layout.prefix + path.underscored)
      for module in indices.map({ modules[$0] }) where module.component == component.name {
        guard row.swapsHalves(from: place.column, to: naming, of: module.shape) == false,
          !row.transposes(from: place.column, to: naming)
        else { continue }
        if row.stems[naming].count == parts {
          found.append(module)
        } else if let slice = slice(of: module, at: place, in: table, component) {
          found.append(slice)
        }
      }
    }
    return found
  }

  /// The rows of a fused module that the place is.
  private func slice(
    of module: FamilyModule, at place: FamilyTables.Place, in table: NameTable,
    _ component: FamilyDefinition.Component
  ) -> FamilyModule? {
    let slices = table.rows[place.match.row].slices(of: module.shape, place.column)
    guard place.match.part < slices.count, let rows = slices[place.match.part].rows,
      let path = table.name(of: place.match, column: place.column, part: place.match.part)
    else { return nil }
    let layout = component.layouts.first { table.column($0.naming) == place.column }
    let prefix = (layout ?? component.layouts[0]).prefix
    return FamilyModule(
      component: module.component, role: module.role, path: path,
      adapterName: prefix + path.underscored, containers: module.containers, kind: module.kind,
      shape: .init([rows.count] + module.shape.dimensions.dropFirst()),
      weight: ParameterSlot(key: module.weight.key, rows: rows),
      bias: module.bias.map { ParameterSlot(key: $0.key, rows: rows) })
  }
}
