/// The module names of an adapter of unknown family, prepared for comparison with families.
struct AdapterModuleNames {
  /// Evenly spread over the adapter: as many as tell it.
  let sample: [String]
  /// Of each, what it is without the words of wrappers.
  private let spellings: [[String]]
  /// One module of every kind: those whose names differ in numbers alone and whose widths are equal
  /// are the same.
  private let kinds: [(name: [UInt8], module: NamedModule)]
  /// Dots as underscores. Bytes, because every part of every family is looked for in them.
  private let names: [[UInt8]]

  /// Names are looked up in every family; more than these change nothing but the time it takes.
  private static let sampleSize = 48

  init(_ modules: [NamedModule]) {
    names = modules.map { $0.name.utf8.underscored }
    let step = max(1, modules.count / AdapterModuleNames.sampleSize)
    sample = stride(from: 0, to: modules.count, by: step).map { modules[$0].name }
    spellings = sample.map(\.spellings)
    var seen: Set<[UInt8]> = []
    kinds = zip(names, modules).compactMap { name, module in
      let letters = name.filter { !$0.isDigit }
      let widths = "\(module.inputs ?? 0) \(module.outputs ?? 0)"
      return seen.insert(letters + widths.utf8).inserted ? (name, module) : nil
    }
  }

  /// Why the adapter cannot be the family's; `nil` if it can.
  /// - Parameter ofAnySize: whether it may be for a model that is smaller or larger than those that are known.
  func exclusion(of definition: FamilyDefinition, ofAnySize: Bool = false) -> String? {
    let adapters = definition.adapters
    let lacks = (adapters.lacks ?? []).map { Array($0.utf8) }
    for kind in kinds {
      if lacks.contains(where: { kind.name.position(of: $0) != nil }) {
        return "has '\(kind.module.name)'"
      }
      if !ofAnySize, let misfit = adapters.misfit(of: kind.module, kind.name) { return misfit }
    }
    let parts = blockParts(of: definition)
    for name in ofAnySize ? [] : names {
      guard let (part, block) = name.block(in: parts), let most = part.counts.max(), block >= most
      else { continue }
      return
        "'\(String(decoding: name, as: UTF8.self))' is beyond its \(most == 1 ? "one block" : "\(most) blocks")"
    }
    guard let needs = adapters.needs else { return nil }
    let needed = needs.map { Array($0.utf8) }
    let isFound = kinds.contains { kind in needed.contains { kind.name.position(of: $0) != nil } }
    return isFound ? nil : "no name with '\(needs.joined(separator: "' or '"))'"
  }

  /// Counts the names of the sample that the family knows.
  func candidate(_ family: FamilyTables, _ metadata: [String: String]) -> AdapterCandidate {
    let places = zip(sample, spellings).map { name, spellings in
      (name, spellings.lazy.map { family.places(named: $0) }.first { !$0.isEmpty } ?? [])
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
        kind.name.ends(with: ending.utf8) && kind.module.inputs.map(widths.contains) == true
      }
      .map {
        "'\($0.module.name)' takes \($0.module.inputs ?? 0) inputs, as in \(definition.name)"
      }
    }
  }

  /// The longest first, so that of two that begin alike the longer one counts.
  private func blockParts(of definition: FamilyDefinition) -> [BlockPart] {
    (definition.adapters.blocks ?? [:]).sorted {
      ($1.key.utf8.count, $0.key) < ($0.key.utf8.count, $1.key)
    }.map { BlockPart(text: $0.key, bytes: Array($0.key.utf8), counts: $0.value) }
  }

  /// Kinds of blocks that the adapter has from the first to the last of the family, and no more. One block alone says
  /// nothing.
  private func wholeBlocks(of definition: FamilyDefinition) -> [String] {
    let parts = blockParts(of: definition)
    var numbers: [String: Set<Int>] = [:]
    for name in names {
      if let (part, block) = name.block(in: parts) {
        numbers[part.text, default: []].insert(block)
      }
    }
    return parts.filter { part in
      guard let found = numbers[part.text], let last = found.max(), last > 0 else { return false }
      return found.count == last + 1 && part.counts.contains(found.count)
    }.map(\.text)
  }
}

/// What a block's number follows in names, and how many such blocks models have.
private struct BlockPart {
  let text: String
  let bytes: [UInt8]
  let counts: [Int]
}

extension FamilyDefinition.Adapters {
  /// Why a module cannot be the family's by the extents of its weight.
  /// - Parameter name: its own, dots as underscores.
  fileprivate func misfit(of module: NamedModule, _ name: [UInt8]) -> String? {
    for (known, width, word) in [
      (widths, module.inputs, "takes @ inputs"), (outputs, module.outputs, "has @ outputs"),
    ] {
      guard let width, let known else { continue }
      let misfits = known.filter { !$1.contains(width) && name.ends(with: $0.utf8) }
      if let (_, widths) = misfits.min(by: { $0.key < $1.key }) {
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

extension [UInt8] {
  /// The first of the parts that a number follows, and that number.
  fileprivate func block(in parts: [BlockPart]) -> (part: BlockPart, number: Int)? {
    for part in parts {
      guard let position = position(of: part.bytes) else { continue }
      let digits = self[(position + part.bytes.count)...].prefix(while: \.isDigit)
      if let number = Int(String(decoding: digits, as: UTF8.self)) { return (part, number) }
    }
    return nil
  }

  /// Where a part begins; nil where it is none.
  fileprivate func position(of part: [UInt8]) -> Int? {
    guard let first = part.first else { return 0 }
    guard count >= part.count else { return nil }
    for start in 0...(count - part.count) where self[start] == first {
      if self[start..<(start + part.count)].elementsEqual(part) { return start }
    }
    return nil
  }

  fileprivate func ends(with ending: String.UTF8View) -> Bool {
    count >= ending.count && self[(count - ending.count)...].elementsEqual(ending)
  }
}

extension UInt8 {
  fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
