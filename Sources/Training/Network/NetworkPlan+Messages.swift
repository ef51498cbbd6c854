import Adapters
import Checkpoints
import ModelFamilies

extension NetworkPlan {
  /// One line for every module and every one left out, for `verbose` and `--plan`.
  package var details: [String] {
    modules.map(\.summary)
      + omitted.map { "\($0.module.adapterName): left out, \($0.reason)" }
  }

  /// `264 modules: 192 unet, 72 te1 (lora)`
  package var summary: String {
    var counts: [(String, Int)] = []
    for component in Set(modules.map(\.module.component)).sorted().reversed() {
      counts.append((component, count(component)))
    }
    let algorithms = Set(modules.map { $0.algorithm.name }).sorted().joined(separator: ", ")
    let parts = counts.map { "\($0.1) \($0.0)" }.joined(separator: ", ")
    return "\(modules.count) modules: \(parts) (\(algorithms))"
  }

  static func selection(of settings: NetworkSettings) -> String {
    var parts = [settings.preset.map { "preset '\($0.name)'" } ?? settings.module.name]
    for key in ["exclude_patterns", "include_patterns"] {
      if let value = settings.arguments[key] { parts.append("\(key)=\(value)") }
    }
    if !settings.flags.trainsUNet { parts.append("'--network_train_text_encoder_only'") }
    if !settings.flags.trainsTextEncoders { parts.append("'--network_train_unet_only'") }
    return parts.joined(separator: " with ")
  }

  /// Why nothing is left, and names that are there.
  static func hints(
    _ candidates: [FamilyModule], _ omitted: [OmittedModule], _ settings: NetworkSettings
  ) -> [String] {
    let weights = candidates.filter {
      ($0.kind == .linear || $0.kind == .convolution) && $0.role != .autoencoder
    }
    guard !weights.isEmpty else { return ["the model has no layer that could be adapted"] }
    var hints: [String] = []
    if let preset = settings.preset {
      let missing = preset.unmatched(among: candidates)
      let known = Set(weights.flatMap(\.containers)).union(weights.map(\.path)).sorted()
      let near = missing.prefix(3).compactMap { name in
        known.nearest(to: name).map { "'\(name)' is near '\($0)'" }
      }
      if !near.isEmpty { hints.append(near.joined(separator: ", ")) }
    }
    var reasons: [String: Int] = [:]
    for module in omitted { reasons[module.reason, default: 0] += 1 }
    if let (reason, count) = reasons.max(by: { ($0.value, $0.key) < ($1.value, $1.key) }) {
      hints.append("\(count) modules are left out because \(reason)")
    }
    let classes = Set(weights.flatMap(\.containers)).sorted()
    if !classes.isEmpty { hints.append("its layers lie in \(classes.joined(separator: ", "))") }
    hints.append("its first is '\(weights[0].path)'")
    return hints
  }
}

extension ModuleOptions {
  /// What of the options has no effect, or is changed.
  /// - Throws: `NetworkError.conflict` where options cannot be had together.
  static func notices(
    on modules: [PlannedModule], _ settings: NetworkSettings
  ) throws(NetworkError) -> [String] {
    var notices: [String] = []
    let names = Set(modules.map { $0.algorithm.name }).sorted().joined(separator: ", ")
    let known = modules.reduce(into: [TrainingOption.moduleDropout] as Set) {
      $0.formUnion($1.algorithm.trainingOptions)
    }
    for (key, value) in settings.arguments.entries {
      guard let option = TrainingOption(rawValue: key), !known.contains(option),
        value.lowercased() != "false"
      else { continue }
      notices.append("network_args: '\(key)' means nothing to \(names), and is ignored")
    }
    func any(_ condition: (PlannedModule) -> Bool) -> Bool { modules.contains(where: condition) }
    if any({ $0.options.decomposesWeight && $0.options.bypasses == true }) {
      notices.append("network_args: dora_wd needs the whole weight: bypass_mode=False is used")
    }
    if any({
      $0.options.decomposesWeight && $0.options.decomposesOutputs
        && $0.algorithm.trainingOptions.contains(.weightDecomposition)
    }) {
      notices.append(
        "network_args: dora_wd takes norms of outputs, as LyCORIS does: LyCORIS and PEFT read them, ComfyUI, "
          + "Forge, the A1111 web UI and InvokeAI read them wrongly; wd_on_output=False is right in all of "
          + "those")
    }
    if any({ $0.options.decomposesWeight && $0.options.dropout > 0 }) {
      notices.append("network_args: dora_wd has no dropout of neurons: it is ignored")
    }
    if any({ !$0.dropsAsKohya && $0.options.dropout > 0 && $0.options.bypasses == false }) {
      notices.append("network_args: dropout acts in bypass_mode only: it is ignored")
    }
    if any({ !$0.dropsAsKohya && $0.options.dropout > 0 && $0.options.bypasses == nil }) {
      notices.append("network_args: dropout acts in bypass_mode, which is used for it")
    }
    if any({ $0.options.bypasses == true && !$0.algorithm.trainingOptions.contains(.bypass) }) {
      notices.append("network_args: bypass_mode does not change what \(names) gives: ignored")
    }
    if any({ $0.algorithm.mayLackScale && $0.options.usesRootOfRank }) {
      notices.append(
        "network_args: rs_lora leaves modules without a product of low rank at scale 1, as "
          + "every reader of the file does")
    }
    let ratios = settings.rateRatios
    if ratios.unet != nil || ratios.textEncoders != nil,
      !any({ $0.algorithm.fasterFactor != nil })
    {
      notices.append("network_args: loraplus ratios are for lora_up, which \(names) has not")
    }
    for module in modules where module.algorithm is any BlockwiseAlgorithm.Type {
      guard module.options.rank % module.options.form.blockSize == 0 else {
        throw .value(
          "block_size", expected: "a divisor of the rank \(module.options.rank)",
          found: "\(module.options.form.blockSize)")
      }
    }
    guard settings.flags.hasQuantizedBase else { return notices }
    for module in modules where module.module.kind == .linear {
      if module.algorithm.trainsWeight {
        throw .conflict(
          "algo=\(module.algorithm.name)", "a base of 8 bits",
          reason: "it trains the weight itself")
      }
      if module.options.decomposesWeight {
        throw .conflict("dora_wd", "a base of 8 bits", reason: "only bypass_mode works with it")
      }
      guard module.algorithm.trainingOptions.contains(.bypass) else { continue }
      if module.options.bypasses == false {
        throw .conflict(
          "bypass_mode=False", "a base of 8 bits", reason: "the adapter has to go past the weight")
      }
    }
    return notices
  }
}
