extension ModelFamily {
  /// The family that an adapter was made for, from the names of its modules, the input widths of their
  /// weights and the adapter's metadata. Widths exclude families; names that a family knows speak for
  /// it, those it would write itself more than other spellings; metadata decides among those that fit.
  /// `family` is `nil` if no family knows at least half of the names; `evidence` says why, a sentence
  /// each.
  ///
  /// - Parameter adapterModules: names without the suffix of the tensor
  ///   (`lora_unet_down_blocks_0_attentions_0_proj_in`), and the width of the input if it is known.
  package static func recognize(
    adapterModules: [(name: String, inputWidth: Int?)], metadata: [String: String]
  ) -> (family: ModelFamily?, evidence: [String]) {
    let names = AdapterModuleNames(adapterModules)
    let (candidates, exclusions) = candidates(names, metadata)
    guard let best = candidates.max(by: { $0.isWeaker(than: $1) }) else {
      let name = adapterModules.first.map { ", as '\($0.name)'" } ?? ""
      return (nil, ["no family knows half of the names\(name)"] + exclusions)
    }
    var evidence = [
      "\(best.known) of \(names.sample.count) names are of \(best.family.name), "
        + "\(best.own) in its own spelling"
    ]
    evidence += names.support(for: best.definition)
    if let entry = best.metadata { evidence.append("metadata says \(entry)") }
    let rivals = candidates.filter { $0.family != best.family && !$0.isWeaker(than: best) }
    if !rivals.isEmpty {
      let list = rivals.map(\.family.name).joined(separator: ", ")
      evidence.append("the names fit \(list) as well")
    }
    return (best.family, evidence)
  }

  /// The families that the names and widths of an adapter's modules fit, the best first; none where no family
  /// knows at least half of the names.
  package static func fitting(
    adapterModules: [(name: String, inputWidth: Int?)]
  ) -> [ModelFamily] {
    candidates(AdapterModuleNames(adapterModules), [:]).candidates
      .sorted { $1.isWeaker(than: $0) }.map(\.family)
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
      let candidate = names.candidate(FamilyTables(definition), metadata)
      if candidate.known * 2 >= names.sample.count, candidate.known > 0 {
        candidates.append(candidate)
      }
    }
    return (candidates, exclusions)
  }
}
