import ArgumentParser

/// What a command or file of kohya's scripts becomes for this tool.
struct ScriptGate {
  private(set) var arguments: ScriptArguments
  /// One line each.
  private(set) var notices: [String] = []
  private let options: ScriptVocabulary
  private var spellings: [String: String] = [:]
  private var withoutEffect: [(name: String, reason: String)] = []

  /// - Throws: `ValidationError` for what cannot be followed.
  init(reading commandLine: [String], _ options: ScriptVocabulary) throws {
    self.options = options
    arguments = try ScriptArguments(reading: commandLine, options)
    for name in arguments.repeated {
      notices.append("'--\(name)' is given several times: the last counts, as in kohya's scripts")
    }
    try arguments.dropScript()
    try refuseOtherScripts()
    if let path = arguments["config_file"]?.first {
      arguments.remove("config_file")
      let file = try OptionFile(path: path, options)
      let given = Set(arguments.entries.map(\.name))
      spellings = file.spellings.filter { !given.contains($0.key) }
      arguments.addMissing(file.arguments)
      notices += file.notices
      if !file.passedOver.isEmpty {
        notices.append(
          "\(file.path): no options of kohya's script for adapters, passed over as there: "
            + file.passedOver.joined(separator: ", "))
      }
    }
    var ruled = arguments
    try ruled.apply { try self.ruled($0) }
    arguments = ruled
    try refuseOtherModels()
    try ruled.apply { entry in
      guard !options.isOwn(entry.name), let option = ScriptOption.all[entry.name] else {
        return entry
      }
      guard case .withoutEffect = option.fate else {
        throw ValidationError("'--\(entry.name)': \(option.reason)")
      }
      withoutEffect.append((entry.name, option.reason))
      return nil
    }
    arguments = ruled
    if !spellings.isEmpty {
      arguments.set(
        "spelling", spellings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" })
    }
    if let line = Self.line(of: withoutEffect) { notices.append(line) }
  }

  /// One line for all, the reasons where they are few.
  private static func line(of options: [(name: String, reason: String)]) -> String? {
    guard !options.isEmpty else { return nil }
    guard options.count > 3 else {
      var names: [String: [String]] = [:]
      for option in options { names[option.reason, default: []].append("'--\(option.name)'") }
      return names.sorted { $0.value[0] < $1.value[0] }.map { reason, names in
        "\(names.joined(separator: ", ")) \(names.count > 1 ? "have" : "has") no effect: \(reason)"
      }.joined(separator: "; ")
    }
    return "\(options.count) options have no effect here: "
      + options.map(\.name).joined(separator: ", ")
  }

  private func refuseOtherScripts() throws {
    for entry in arguments.entries {
      guard let option = ScriptOption.all[entry.name], case .ofOtherScripts = option.fate,
        !Self.isOff(entry)
      else { continue }
      throw ValidationError("'--\(entry.name)': \(option.reason)")
    }
  }

  private func refuseOtherModels() throws {
    let foreign = arguments.entries.compactMap { entry in
      if !options.isOwn(entry.name), let option = ScriptOption.all[entry.name],
        case .ofOtherModel = option.fate
      {
        (entry.name, option.reason)
      } else {
        nil
      }
    }
    if let module = arguments["network_module"]?.first,
      let model = OtherModel.model(ofModule: module)
    {
      throw ValidationError(
        OtherModel.refusal(of: "'--network_module \(module)'", model: model))
    }
    // The one option of these scripts that names a model by a word; Chroma has neither CLIP nor Flux.1's modulation.
    if let type = arguments["model_type"]?.first, type.lowercased() == "chroma" {
      throw ValidationError(
        OtherModel.refusal(of: "'--model_type \(type)'", model: "Chroma"))
    }
    guard let (_, model) = foreign.first else { return }
    let names = foreign.filter { $0.1 == model }.map { "'--\($0.0)'" }.joined(separator: ", ")
    throw ValidationError(OtherModel.refusal(of: names, model: model))
  }

  // MARK: Values

  /// Numbers of which 0 means that there is nothing of it.
  private static let offAtZero: Set<String> = [
    "adaptive_noise_scale", "clip_skip", "ip_noise_gamma", "lr_scheduler_timescale",
    "max_timestep", "max_train_epochs", "max_train_steps", "max_validation_steps",
    "min_snr_gamma", "multires_noise_iterations", "sample_every_n_epochs", "sample_every_n_steps",
    "network_dropout", "noise_offset",
    "save_every_n_epochs", "save_every_n_steps", "save_last_n_epochs",
    "save_last_n_epochs_state", "save_last_n_steps", "save_last_n_steps_state",
    "save_n_epoch_ratio", "scale_weight_norms", "v_pred_like_loss", "vae_batch_size",
    "validate_every_n_epochs", "validate_every_n_steps", "ema_decay", "max_token_length",
    "num_timestep_buckets", "t5xxl_max_token_length",
  ]

  /// Numbers of steps that may be a share of all, also in percent.
  private static let shares: Set<String> = ["lr_warmup_steps", "lr_decay_steps"]

  /// Whether an option is as if it were not given.
  private static func isOff(_ entry: ScriptArguments.Entry) -> Bool {
    guard let values = entry.values else { return false }
    return values.allSatisfy { ["", "none", "false", "0", "0.0"].contains($0.lowercased()) }
  }

  /// What counts of an option; nil where it says that it is off.
  private mutating func ruled(
    _ entry: ScriptArguments.Entry
  ) throws -> ScriptArguments.Entry? {
    guard var values = entry.values else { return entry }
    let name = entry.name
    if !options.isOwn(name) { return isWithoutMeaning(entry) ? nil : entry }
    values.removeAll { value in
      value.allSatisfy(\.isWhitespace) || !options.isText(name) && value.lowercased() == "none"
    }
    guard let first = values.first else { return nil }
    if Self.offAtZero.contains(name), Double(first) == 0 {
      let epochs = arguments["max_train_epochs"]?.first.flatMap { Double($0) } ?? 0
      if name == "max_train_steps", epochs == 0 {
        notices.append(
          "'--max_train_steps 0' is as if not given: the default number of steps counts")
      }
      return nil
    }
    if Self.shares.contains(name), first.hasSuffix("%"), let percent = Double(first.dropLast()) {
      values = ["\(percent / 100)"]
    }
    return ScriptArguments.Entry(name: name, values: values)
  }

  /// Whether an option that nothing reads is off, or asks for what is done anyway.
  private func isWithoutMeaning(_ entry: ScriptArguments.Entry) -> Bool {
    Self.isOff(entry) || entry.name == "save_model_as" && entry.values == ["safetensors"]
  }
}
