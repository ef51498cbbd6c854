extension ModelFamily {
  /// The family that an adapter was made for, from the names of its modules, the widths of their weights and the
  /// adapter's metadata.
  ///
  /// Widths and numbers of blocks exclude families, unless metadata name one where no other is left: models are also made
  /// in other sizes. Metadata decides among those that fit; then how many names a
  /// family knows, of how many kinds of blocks the adapter has all that it has, and how many names one of its
  /// formats writes in that way. What is then as good is a rival.
  /// - Parameter metadata: of the header, with what a PEFT configuration says under `PEFTKey`.
  package static func recognize(
    adapterModules: [NamedModule], metadata: [String: String]
  ) -> AdapterFamily {
    let names = AdapterModuleNames(adapterModules)
    var (candidates, exclusions) = Self.candidates(names, metadata)
    if candidates.isEmpty { candidates = stated(names, metadata) }
    // Of equals the first.
    guard
      let best = candidates.first(where: { one in !candidates.contains { one.isWeaker(than: $0) } })
    else {
      let name = adapterModules.first.map { ", as '\($0.name)'" } ?? ""
      return AdapterFamily(
        family: nil, rivals: [],
        evidence: ["no family knows half of the names\(name)"] + exclusions)
    }
    var evidence = [
      "\(best.known) of \(names.sample.count) names are of \(best.family.name), "
        + "\(best.written) as a format of it has them"
    ]
    evidence += names.support(for: best.definition)
    evidence += best.wholeBlocks.map { "has all of its '\($0)…'" }
    if let entry = best.metadata { evidence.append("metadata says \(entry)") }
    if let other = names.exclusion(of: best.definition) {
      evidence.append("of another size than its known models: \(other)")
    }
    let rivals = candidates.filter { $0.family != best.family && !$0.isWeaker(than: best) }
      .map(\.family)
    if !rivals.isEmpty {
      let list = rivals.map(\.name).joined(separator: ", ")
      evidence.append("the names fit \(list) as well")
    }
    return AdapterFamily(family: best.family, rivals: rivals, evidence: evidence)
  }

  /// The families that the names and widths of an adapter's modules fit, the best first; none where no family
  /// knows at least half of the names.
  package static func fitting(adapterModules: [NamedModule]) -> [ModelFamily] {
    candidates(AdapterModuleNames(adapterModules), [:]).candidates
      .sorted { $1.isWeaker(than: $0) }.map(\.family)
  }

  /// The families that metadata name, whatever the size of the model, whose names the adapter has.
  private static func stated(
    _ names: AdapterModuleNames, _ metadata: [String: String]
  ) -> [AdapterCandidate] {
    FamilyDefinition.all.compactMap { definition in
      guard names.exclusion(of: definition, ofAnySize: true) == nil else { return nil }
      let candidate = names.candidate(FamilyTables.tables(of: definition), metadata)
      return candidate.metadata != nil && candidate.known * 2 >= names.sample.count
        ? candidate : nil
    }
  }

  private static func candidates(
    _ names: AdapterModuleNames, _ metadata: [String: String]
  ) -> (candidates: [AdapterCandidate], exclusions: [String]) {
    var exclusions: [String] = []
    var candidates: [AdapterCandidate] = []
    for definition in FamilyDefinition.all {
      if let exclusion = names.exclusion(of: definition) {
        exclusions.append("not \(definition.name): \(exclusion)")
        continue
      }
      let candidate = names.candidate(FamilyTables.tables(of: definition), metadata)
      if candidate.known * 2 >= names.sample.count, candidate.known > 0 {
        candidates.append(candidate)
      }
    }
    return (candidates, exclusions)
  }
}
