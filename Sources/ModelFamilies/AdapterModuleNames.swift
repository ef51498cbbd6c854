/// The module names of an adapter of unknown family, prepared for comparison with families.
struct AdapterModuleNames {
  /// Evenly spread over the adapter: as many as tell it.
  let sample: [String]
  /// One module of every kind: those whose names differ in numbers alone and whose widths are equal
  /// are the same.
  private let kinds: [(underscored: String, name: String, width: Int?)]
  private let modules: [(name: String, inputWidth: Int?)]

  /// Names are looked up in every family; more than these change nothing but the time it takes.
  private static let sampleSize = 48

  init(_ modules: [(name: String, inputWidth: Int?)]) {
    self.modules = modules
    let step = max(1, modules.count / AdapterModuleNames.sampleSize)
    sample = stride(from: 0, to: modules.count, by: step).map { modules[$0].name }
    var seen: Set<[UInt8]> = []
    kinds = modules.compactMap { name, width in
      let letters = name.utf8.filter { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      let isNew = seen.insert(letters + "\(width ?? 0)".utf8).inserted
      return isNew ? (name.underscored, name, width) : nil
    }
  }

  /// Why the adapter cannot be the family's; `nil` if it can.
  func exclusion(of definition: FamilyDefinition) -> String? {
    let adapters = definition.adapters
    let endings = (adapters.widths ?? [:]).sorted { $0.key < $1.key }
    for kind in kinds {
      for (ending, widths) in endings where kind.underscored.hasSuffix(ending) {
        if let width = kind.width, !widths.contains(width) {
          let expected = widths.map(String.init).joined(separator: " or ")
          return "'\(kind.name)' takes \(width) inputs, expected \(expected)"
        }
      }
      for part in adapters.lacks ?? [] where kind.underscored.contains(part) {
        return "has '\(kind.name)'"
      }
    }
    for (part, count) in adapters.blocks ?? [:] {
      for (name, _) in modules {
        guard let block = name.underscored.number(after: part), block >= count else { continue }
        return "'\(name)' is beyond its \(count) blocks"
      }
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
    let entries = ["ss_base_model_version", "modelspec.architecture"].flatMap { key in
      family.definition.adapters.metadata.compactMap { beginning in
        metadata[key].flatMap { value in
          value.lowercased().hasPrefix(beginning)
            ? (text: "\(key) = '\(value)'", length: beginning.utf8.count) : nil
        }
      }
    }
    let entry = entries.max { $0.length < $1.length }
    return AdapterCandidate(
      definition: family.definition, known: places.count { !$0.1.isEmpty },
      own: places.count { name, places in places.contains { family.spells($0, name) } },
      metadata: entry?.text, metadataLength: entry?.length ?? 0)
  }

  /// Widths that the family expects and the adapter has, once each.
  func support(for definition: FamilyDefinition) -> [String] {
    (definition.adapters.widths ?? [:]).sorted { $0.key < $1.key }.compactMap { ending, widths in
      kinds.first { kind in
        kind.underscored.hasSuffix(ending) && kind.width.map(widths.contains) == true
      }
      .map { "'\($0.name)' takes \($0.width ?? 0) inputs, as in \(definition.name)" }
    }
  }
}

extension FamilyTables {
  /// Whether `name` is what the family itself calls the place.
  fileprivate func spells(_ place: Place, _ name: String) -> Bool {
    let table = tables[place.component]
    return definition.components[place.component].layouts.contains { layout in
      let path = table.name(
        of: place.match, column: table.column(layout.naming), part: place.match.part)
      return path.map { layout.prefix + $0.underscored == name } ?? false
    }
  }
}

extension String {
  /// The number that follows the first occurrence of `text`.
  fileprivate func number(after text: String) -> Int? {
    let bytes = Array(utf8)
    let sought = Array(text.utf8)
    guard bytes.count > sought.count,
      let start = (0..<bytes.count - sought.count).first(where: {
        bytes[$0] == sought[0] && bytes[$0..<$0 + sought.count].elementsEqual(sought)
      })
    else { return nil }
    let digits = bytes[(start + sought.count)...].prefix { (48...57).contains($0) }
    return Int(String(decoding: digits, as: UTF8.self))
  }
}
