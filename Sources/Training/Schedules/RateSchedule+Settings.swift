extension RateSchedule {
  /// - Parameters:
  ///   - total: steps of the training
  ///   - rate: the highest learning rate, in which some options are given
  ///   - schedulesItself: whether the optimizer has a schedule of its own; then rates are left as they are,
  ///     whatever the name
  /// - Throws: `SettingError`
  package init(
    _ settings: ScheduleSettings, total: Int, rate: Double, schedulesItself: Bool = false
  ) throws(SettingError) {
    let parts = settings.name.split(separator: ":", maxSplits: 1).map(String.init)
    let name = (parts.first ?? "constant").lowercased()
    let type = settings.type.flatMap { $0.isEmpty ? nil : $0 }
    guard !schedulesItself || (type == nil && !ScheduleSettings.names.contains(name)) else {
      self.init(curve: .constant, warmup: 0, total: total)
      return
    }
    if let type {
      var arguments = try KeyedArguments(
        parsing: settings.arguments, option: "--lr_scheduler_args", subject: type)
      let schedule = try TorchSchedule(named: type, &arguments, total: total)
      try arguments.finish()
      try Self.refuseWarmup(
        try ScheduleSettings.steps(settings.warmup, of: total, "--lr_warmup_steps"), type, "")
      self.init(curve: .torch(schedule), warmup: 0, total: total)
      return
    }
    var arguments = try KeyedArguments(
      parsing: settings.arguments, option: "--lr_scheduler_args", subject: name)
    let warmup = try ScheduleSettings.steps(settings.warmup, of: total, "--lr_warmup_steps")
    let decay = try ScheduleSettings.steps(settings.decay, of: total, "--lr_decay_steps")
    let curve: Curve
    switch name {
    case "constant":
      try Self.refuseWarmup(warmup, name, "; use '--lr_scheduler constant_with_warmup'")
      curve = .constant
    case "constant_with_warmup": curve = .constant
    case "linear": curve = .linear
    case "cosine":
      curve = .cosine(waves: try arguments.number("num_cycles", 0.5, in: 0...), lowest: 0)
    case "cosine_with_restarts": curve = .restarts(cycles: Double(settings.cycles))
    case "polynomial":
      let last = try arguments.number("lr_end", 1e-7, in: 0...)
      guard rate > last else {
        throw .value(
          option: "--lr_scheduler_args lr_end", expected: "less than the learning rate \(rate)",
          found: "\(last)")
      }
      curve = .polynomial(power: settings.power, last: last / rate)
    case "inverse_sqrt":
      let timescale = settings.timescale ?? (warmup > 0 ? warmup : 10_000)
      guard timescale > 0 else {
        throw .value(
          option: "--lr_scheduler_timescale", expected: "1 or more", found: "\(timescale)")
      }
      curve = .inverseRoot(timescale: Double(timescale))
    case "cosine_with_min_lr":
      curve = .cosine(
        waves: Double(settings.cycles) / 2, lowest: try Self.lowest(settings, &arguments, rate))
    case "warmup_stable_decay":
      curve = .stableDecay(
        StableDecay(
          warmupShape: try arguments.choice("warmup_type", .linear),
          decayShape: try arguments.choice("decay_type", .cosine),
          stable: total - warmup - decay, decay: decay, lowest: settings.lowestRatio ?? 0,
          waves: Double(settings.cycles) / 2))
    case "piecewise_constant":
      try Self.refuseWarmup(warmup, name, "; write the rise into step_rules")
      curve = try Self.pieces(&arguments)
    case "rex":
      curve = .rex(
        alpha: try arguments.number("rex_alpha", 0.1, in: 0...),
        beta: try arguments.number("rex_beta", 0.9, in: 0...), lowest: settings.lowestRatio ?? 0.01)
    case "adafactor":
      throw .combination(
        "'--lr_scheduler adafactor' needs '--optimizer_type Adafactor' with relative_step=True")
    default:
      throw .name(option: "--lr_scheduler", found: settings.name, known: ScheduleSettings.names)
    }
    try arguments.finish()
    self.init(curve: curve, warmup: warmup, total: total)
  }

  private static func refuseWarmup(
    _ warmup: Int, _ name: String, _ advice: String
  ) throws(SettingError) {
    guard warmup != 0 else { return }
    throw .value(
      option: "--lr_warmup_steps", expected: "0 with the schedule '\(name)'",
      found: "\(warmup)\(advice)")
  }

  private static func lowest(
    _ settings: ScheduleSettings, _ arguments: inout KeyedArguments, _ rate: Double
  ) throws(SettingError) -> Double {
    let lowest = try arguments.optionalNumber("min_lr", in: 0...).map { $0 / rate }
    let ratio = try arguments.optionalNumber("min_lr_rate", in: 0...)
    guard let ratio = settings.lowestRatio ?? ratio ?? lowest else {
      throw .combination("'--lr_scheduler cosine_with_min_lr' needs '--lr_scheduler_min_lr_ratio'")
    }
    return ratio
  }

  /// `1:10,0.1:20,0.005`: 1 before step 10, 0.1 before step 20, then 0.005.
  private static func pieces(_ arguments: inout KeyedArguments) throws(SettingError) -> Curve {
    let option = "--lr_scheduler_args step_rules"
    guard let rules = arguments.word("step_rules") else {
      throw .combination("'--lr_scheduler piecewise_constant' needs '\(option)=1:10,0.1:20,0.005'")
    }
    func fail() -> SettingError {
      .value(
        option: option, expected: "factor:step pairs and a last factor, as 1:10,0.1:20,0.005",
        found: "'\(rules)'")
    }
    let parts = rules.split(separator: ",")
    guard let last = parts.last.flatMap({ Double($0.trimmingBlanks) }) else { throw fail() }
    var pieces: [(limit: Int, factor: Double)] = []
    for part in parts.dropLast() {
      let pair = part.split(separator: ":")
      guard pair.count == 2, let factor = Double(pair[0].trimmingBlanks),
        let limit = Int(pair[1].trimmingBlanks)
      else { throw fail() }
      pieces.append((limit, factor))
    }
    return .pieces(pieces.sorted { $0.limit < $1.limit }, last: last)
  }
}
