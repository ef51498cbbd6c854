/// The module names of an adapter of unknown family, prepared for comparison with families.
struct AdapterModuleNames {
  /// Evenly spread over the adapter: as many as tell it.
  let sample: [String]
  /// One module of every kind: those whose names differ in numbers alone and whose widths are equal
  /// are the same.
  private let kinds: [(underscored: String, module: NamedModule)]
  private let names: [String]

  /// Names are looked up in every family; more than these change nothing but the time it takes.
  private static let sampleSize = 48

  init(_ modules: [NamedModule]) {
    names = modules.map(\.name.underscored)
    let step = max(1, modules.count / AdapterModuleNames.sampleSize)
    sample = stride(from: 0, to: modules.count, by: step).map { modules[$0].name }
    var seen: Set<[UInt8]> = []
    kinds = zip(names, modules).compactMap { name, module in
      let letters = name.utf8.filter { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      let widths = "\(module.inputs ?? 0) \(module.outputs ?? 0)"
      return seen.insert(letters + widths.utf8).inserted ? (name, module) : nil
    }
  }

  /// Why the adapter cannot be the family's; `nil` if it can.
  func exclusion(of definition: FamilyDefinition) -> String? {
    let adapters = definition.adapters
    for kind in kinds {
      for part in adapters.lacks ?? [] where kind.underscored.contains(part) {
        return "has '\(kind.module.name)'"
      }
      if let misfit = adapters.misfit(of: kind.module, kind.underscored) { return misfit }
    }
    let parts = blockParts(of: definition)
    for name in names {
      guard let (part, block) = name.block(in: parts), let counts = adapters.blocks?[part],
        let most = counts.max(), block >= most
      else { continue }
      return "'\(name)' is beyond its \(most) blocks"
    }
    guard let needs = adapters.needs else { return nil }
    let isFound = kinds.contains { kind in needs.contains { kind.underscored.contains($0) } }
    return isFound ? nil : "no name with '\(needs.joined(separator: "' or '"))'"
  }

  /// Counts the names of the sample that the family knows.
  func candidate(_ family: FamilyTables, _ metadata: [String: String]) -> AdapterCandidate {
    let places = sample.map { name in
      (name, name.spellings.lazy.map { family.places(named: $0) }.first { !$0.isEmpty } ?? [])
    }
    let entry = StatedFamily.entries(of: metadata).compactMap { entry in
      family.definition.adapters.metadata.filter { entry.value.hasPrefix($0) }
        .max { $0.utf8.count < $1.utf8.count }
        .map { (text: entry.text, length: $0.utf8.count) }
    }.max { $0.length < $1.length }
    return AdapterCandidate(
      definition: family.definition, known: places.count { !$0.1.isEmpty },
      written: places.count { name, places in places.contains { family.writes($0, as: name) } },
      wholeBlocks: wholeBlocks(of: family.definition),
      metadata: entry?.text, metadataLength: entry?.length ?? 0)
  }

  /// Widths that the family expects and the adapter has, once each.
  func support(for definition: FamilyDefinition) -> [String] {
    (definition.adapters.widths ?? [:]).sorted { $0.key < $1.key }.compactMap { ending, widths in
      kinds.first { kind in
        kind.underscored.hasSuffix(ending) && kind.module.inputs.map(widths.contains) == true
      }
      .map {
        "'\($0.module.name)' takes \($0.module.inputs ?? 0) inputs, as in \(definition.name)"
      }
    }
  }

  private func blockParts(of definition: FamilyDefinition) -> [String] {
    (definition.adapters.blocks ?? [:]).keys.sorted {
      ($1.utf8.count, $0) < ($0.utf8.count, $1)
    }
  }

  /// Kinds of blocks that the adapter has from the first to the last of the family, and no more.
  private func wholeBlocks(of definition: FamilyDefinition) -> [String] {
    let parts = blockParts(of: definition)
    var numbers: [String: Set<Int>] = [:]
    for name in names {
      if let (part, block) = name.block(in: parts) { numbers[part, default: []].insert(block) }
    }
    return parts.filter { part in
      guard let found = numbers[part], let last = found.max() else { return false }
      return found.count == last + 1
        && definition.adapters.blocks?[part]?.contains(found.count) == true
    }
  }
}

extension FamilyDefinition.Adapters {
  /// Why a module cannot be the family's by the extents of its weight.
  fileprivate func misfit(of module: NamedModule, _ underscored: String) -> String? {
    for (known, width, word) in [
      (widths, module.inputs, "takes @ inputs"), (outputs, module.outputs, "has @ outputs"),
    ] {
      guard let width, let known else { continue }
      for (ending, widths) in known.sorted(by: { $0.key < $1.key })
      where underscored.hasSuffix(ending) && !widths.contains(width) {
        let expected = widths.map(String.init).joined(separator: " or ")
        return "'\(module.name)' \(word.replacing("@", with: "\(width)")), expected \(expected)"
      }
    }
    return nil
  }
}

extension FamilyTables {
  /// Whether `name` is what a format, or the family itself, calls the place.
  fileprivate func writes(_ place: Place, as name: String) -> Bool {
    let path = tables[place.component].name(
      of: place.match, column: place.column, part: place.match.part)
    guard let path else { return false }
    return prefixes[place.component].contains { prefix in
      isWritten(prefix, before: place.column, of: place.component)
        && (prefix + path == name || prefix + path.underscored == name)
    }
  }
}

extension String {
  /// The first of the texts, the longest of which stand first, that a number follows, and that number.
  fileprivate func block(in parts: [String]) -> (part: String, number: Int)? {
    for part in parts {
      guard let range = firstRange(of: part) else { continue }
      let digits = utf8[range.upperBound...].prefix { (48...57).contains($0) }
      if let number = Int(String(decoding: digits, as: UTF8.self)) { return (part, number) }
    }
    return nil
  }
}
