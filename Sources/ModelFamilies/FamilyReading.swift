import Tensors

/// A checkpoint read by the names of a family.
struct FamilyReading {
  let family: FamilyTables
  private(set) var modules: [FamilyModule] = []
  /// Keys of parameters that are no module's, by component and name in the graph: `unet/blocks.0.modulation`.
  private(set) var parameters: [String: String] = [:]
  /// Keys that are neither weight nor bias of a module.
  let unnamed: [String]
  /// Keys that the family does not know.
  private(set) var foreign: [String] = []
  /// Components of the definition, then its other kinds of keys.
  let componentNames: [String]
  /// Index into `componentNames` by position of the key; `nil` for those in `foreign`.
  private(set) var components: [UInt8?] = []

  /// Half of the keys, at least, belong to the family.
  var isFitting: Bool {
    foreign.count * 2 <= components.count && foreign.count < components.count
  }

  init(of checkpoint: CheckpointKeys, as definition: FamilyDefinition) {
    family = FamilyTables.tables(of: definition)
    let others = (definition.others ?? [:]).sorted { $0.key < $1.key }
    componentNames = definition.components.map(\.name) + others.map(\.key)
    components.reserveCapacity(checkpoint.tensors.count)
    let otherPrefixes = others.enumerated().flatMap { index, kind in
      kind.value.map { (Array($0.utf8), UInt8(definition.components.count + index)) }
    }
    let keys = checkpoint.tensors.map { Array($0.key.utf8) }
    let spellings = KeySpelling.all(of: family, in: keys)
    var isNamed = keys.map { _ in false }
    for (position, key) in keys.enumerated() {
      if let (index, match) = FamilyReading.match(key, spellings) {
        components.append(spellings[index].component)
        if match.role == .parameter, let name = spellings[index].graphName(ofParameter: match) {
          let component = definition.components[Int(spellings[index].component)].name
          parameters["\(component)/\(name)"] = checkpoint.tensors[position].key
        }
        guard match.role == .weight else { continue }
        let parts = FamilyReading.modules(
          at: position, match, spellings[index], checkpoint,
          component: definition.components[Int(spellings[index].component)])
        guard let first = parts.first else { continue }
        modules += parts
        isNamed[position] = true
        if let bias = first.bias { isNamed[checkpoint.positions[bias.key]!] = true }
      } else {
        let other = otherPrefixes.first { key.starts(with: $0.0) }
        components.append(other?.1)
        if other == nil { foreign.append(checkpoint.tensors[position].key) }
      }
    }
    unnamed = isNamed.indices.filter { !isNamed[$0] }.map { checkpoint.tensors[$0].key }
  }

  /// The first spelling that knows the key, and the place.
  private static func match(
    _ key: [UInt8], _ spellings: [KeySpelling]
  ) -> (spelling: Int, match: NameTable.Match)? {
    for index in spellings.indices {
      if let match = spellings[index].match(key) { return (index, match) }
    }
    return nil
  }

  /// The modules whose weight the tensor at `position` is: several if it fuses what adapters name
  /// apart, none if its shape is not that of a weight.
  private static func modules(
    at position: Int, _ match: NameTable.Match, _ spelling: KeySpelling,
    _ checkpoint: CheckpointKeys, component: FamilyDefinition.Component
  ) -> [FamilyModule] {
    let (key, shape) = checkpoint.tensors[position]
    let row = spelling.table.rows[match.row]
    let stem = row.stems[spelling.column][match.part]
    let kind: ModuleKind
    switch (row.role, shape.dimensions.count) {
    case (_, 0): return []
    case (.embedding, _): kind = .embedding
    case (_, 1): kind = .norm
    case (_, 2): kind = .linear
    default: kind = .convolution
    }
    let parent = String(key.dropLast((stem.weight ?? "weight").utf8.count))
    let biasKey = parent + (stem.bias ?? "bias")
    let hasBias = stem.bias != "" && checkpoint.shape(biasKey)?.dimensions == [shape.rows]
    let isTransposed = row.transposes(from: spelling.column, to: spelling.naming)
    guard !isTransposed || shape.dimensions.count == 2 else { return [] }
    let isFused = row.stems[spelling.naming].count != row.stems[spelling.column].count
    let parts = isFused ? row.slices(of: shape, spelling.naming) : [(match.part, nil)]
    return parts.compactMap { part, rows in
      spelling.table.name(of: match, column: spelling.naming, part: part).map { path in
        FamilyModule(
          component: component.name, role: component.role, path: path,
          graphPath: spelling.graphPath(of: match, part: part),
          adapterName: spelling.adapterPrefix + path.underscored,
          containers: spelling.table.containers(of: match), kind: kind,
          shape: rows.map { Shape([$0.count] + shape.dimensions.dropFirst()) }
            ?? (isTransposed ? Shape(shape.dimensions.reversed()) : shape),
          weight: ParameterSlot(key: key, rows: rows, isTransposed: isTransposed),
          bias: hasBias ? ParameterSlot(key: biasKey, rows: rows) : nil)
      }
    }
  }
}

extension NameTable.Row {
  /// The parts of that column and their rows in a weight of `shape` that holds all of them. Empty if
  /// the weight cannot be cut so.
  func slices(of shape: Shape, _ column: Int) -> [(part: Int, rows: Range<Int>?)] {
    let shares = stems[column].map(\.share)
    let total = shares.reduce(0, +)
    guard shape.dimensions.count == 2, total > 0, shape.rows > 0, shape.rows % total == 0 else {
      return []
    }
    let unit = shape.rows / total
    var start = 0
    return shares.enumerated().map { part, share in
      defer { start += share * unit }
      return (part, start..<start + share * unit)
    }
  }
}

extension String {
  /// The name as kohya's tools flatten it: dots become underscores.
  var underscored: String { String(decoding: utf8.underscored, as: UTF8.self) }
}

extension Sequence<UInt8> {
  /// The same with underscores for dots.
  var underscored: [UInt8] { map { $0 == UInt8(ascii: ".") ? UInt8(ascii: "_") : $0 } }
}
