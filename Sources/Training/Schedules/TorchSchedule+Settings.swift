extension TorchSchedule {
  /// Names that `init(named:_:)` knows.
  static let names = [
    "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "PolynomialLR",
    "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR",
    "RexAnnealingWarmRestarts",
  ]

  /// Those of torch that no option can describe, or that need more than a step.
  private static let absent: Set<String> = [
    "lambdalr", "multiplicativelr", "reducelronplateau", "sequentiallr", "chainedscheduler",
    "swalr",
  ]

  /// - Parameters:
  ///   - name: of a class, with or without its module, in any case.
  ///   - arguments: `--lr_scheduler_args`
  ///   - total: steps of the training.
  /// - Throws: `SettingError`
  init(
    named name: String, _ arguments: inout KeyedArguments, total: Int
  ) throws(SettingError) {
    let parts = name.split(separator: ".").map(String.init)
    let kind = (parts.last ?? name).lowercased()
    let isForeign = parts.count > 1 && parts[0].lowercased() != "torch"
    arguments.ignore("last_epoch", "verbose")
    switch kind {
    case "steplr":
      self = .steps(
        every: try arguments.requiredInteger("step_size", in: 1...),
        gamma: try arguments.number("gamma", 0.1, in: 0...))
    case "multisteplr":
      self = .milestones(
        try arguments.requiredIntegers("milestones").sorted(),
        gamma: try arguments.number("gamma", 0.1, in: 0...))
    case "constantlr":
      self = .constant(
        factor: try arguments.number("factor", 1.0 / 3, in: 0...),
        until: try arguments.integer("total_iters", 5, in: 1...))
    case "linearlr":
      self = .linear(
        start: try arguments.number("start_factor", 1.0 / 3, in: .leastNonzeroMagnitude...),
        end: try arguments.number("end_factor", 1, in: 0...),
        until: try arguments.integer("total_iters", 5, in: 1...))
    case "exponentiallr":
      self = .exponential(gamma: try arguments.requiredNumber("gamma", in: 0...))
    case "polynomiallr":
      self = .polynomial(
        until: try arguments.integer("total_iters", 5, in: 1...),
        power: try arguments.number("power", 1, in: 0...))
    case "cosineannealinglr":
      self = .cosine(
        half: try arguments.requiredInteger("T_max", in: 1...),
        lowest: try arguments.number("eta_min", 0, in: 0...))
    case "rexannealingwarmrestarts":
      self = .annealing(try Self.annealing(.rex(arguments.number("d", 0.9, in: 0...)), &arguments))
    case "cosineannealingwarmrestarts" where isForeign:
      self = .annealing(try Self.annealing(.cosine, &arguments))
    case "cosineannealingwarmrestarts":
      self = .restarts(
        first: try arguments.requiredInteger("T_0", in: 1...),
        growth: try arguments.integer("T_mult", 1, in: 1...),
        lowest: try arguments.number("eta_min", 0, in: 0...))
    case "cycliclr": self = .cyclic(try Self.cycle(&arguments))
    case "onecyclelr": self = .oneCycle(try Self.oneCycle(&arguments, total: total))
    default:
      guard Self.absent.contains(kind) else {
        throw .name(option: "--lr_scheduler_type", found: name, known: Self.names)
      }
      throw .value(
        option: "--lr_scheduler_type", expected: "one of \(Self.names.joined(separator: ", "))",
        found: "'\(name)', which '--lr_scheduler_args' cannot describe")
    }
  }

  private static func cycle(_ arguments: inout KeyedArguments) throws(SettingError) -> Cycle {
    try refuseMomentum(&arguments)
    let up = try arguments.integer("step_size_up", 2000, in: 1...)
    let cycle = Cycle(
      lowest: try arguments.requiredNumber("base_lr", in: 0...),
      highest: try arguments.requiredNumber("max_lr", in: 0...), up: up,
      down: try arguments.integer("step_size_down", up, in: 1...),
      mode: try arguments.choice("mode", .triangular),
      gamma: try arguments.number("gamma", 1, in: 0...))
    guard arguments.word("scale_mode").map({ ["cycle", "iterations"].contains($0) }) ?? true else {
      throw .value(
        option: "--lr_scheduler_args scale_mode", expected: "cycle or iterations",
        found: "another word")
    }
    return cycle
  }

  private static func oneCycle(
    _ arguments: inout KeyedArguments, total: Int
  ) throws(SettingError) -> OneCycle {
    try refuseMomentum(&arguments)
    let epochs = try arguments.integer("epochs", 0, in: 0...)
    let perEpoch = try arguments.integer("steps_per_epoch", 0, in: 0...)
    let given = try arguments.integer("total_steps", epochs * perEpoch, in: 0...)
    // torch stops at a step behind the last.
    guard given >= total else {
      throw .value(
        option: "--lr_scheduler_args total_steps",
        expected: "at least all \(total) steps of the training", found: "\(given)")
    }
    return OneCycle(
      highest: try arguments.requiredNumber("max_lr", in: 0...), total: given,
      rise: try arguments.number("pct_start", 0.3, in: 0...),
      shape: try arguments.choice("anneal_strategy", .cos),
      divisor: try arguments.number("div_factor", 25, in: .leastNonzeroMagnitude...),
      finalDivisor: try arguments.number("final_div_factor", 1e4, in: .leastNonzeroMagnitude...),
      hasThreePhases: try arguments.flag("three_phase", false))
  }

  private static func annealing(
    _ shape: Annealing.Shape, _ arguments: inout KeyedArguments
  ) throws(SettingError) -> Annealing {
    let cycles = Annealing(
      shape: shape, length: try arguments.integer("first_cycle_max_steps", 1, in: 1...),
      growth: try arguments.number("cycle_multiplier", 1, in: 1...),
      gamma: try arguments.requiredNumber("gamma", in: 0...),
      lowest: try arguments.number("min_lr", 1e-6, in: 0...),
      warmup: try arguments.integer("warmup_steps", 0, in: 0...))
    guard cycles.warmup < cycles.length else {
      throw .value(
        option: "--lr_scheduler_args warmup_steps",
        expected: "less than first_cycle_max_steps, \(cycles.length)", found: "\(cycles.warmup)")
    }
    return cycles
  }

  /// torch moves the optimizer's first decay with the rate unless told not to.
  private static func refuseMomentum(_ arguments: inout KeyedArguments) throws(SettingError) {
    arguments.ignore("base_momentum", "max_momentum")
    guard try arguments.flag("cycle_momentum", true) else { return }
    throw .value(
      option: "--lr_scheduler_args cycle_momentum",
      expected: "cycle_momentum=False, the momentum being that of the optimizer", found: "True")
  }
}
