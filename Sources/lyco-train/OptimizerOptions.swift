import ArgumentParser

/// How the adapter learns.
struct OptimizerOptions: ParsableArguments {
  @Option(
    name: .customLong("optimizer_type"),
    help: ArgumentHelp(
      "AdamW, AdamW8bit, Lion, SGDNesterov, Adafactor, Prodigy, DAdaptAdam, AdamWScheduleFree, "
        + "RAdamScheduleFree, SGDScheduleFree or CAME.",
      valueName: "name"))
  var optimizer = "AdamW"

  @Flag(name: .customLong("use_8bit_adam"), help: "The same as --optimizer_type AdamW8bit.")
  var usesAdam8bit = false

  @Flag(name: .customLong("use_lion_optimizer"), help: "The same as --optimizer_type Lion.")
  var usesLion = false

  @Option(
    name: .customLong("optimizer_args"), parsing: .singleValue,
    help: ArgumentHelp(
      "Its options: \"weight_decay=0.1\" \"betas=0.9,0.99\" …", valueName: "key=value"))
  var optimizerArguments: [String] = []

  @Option(
    name: .customLong("learning_rate"),
    help: ArgumentHelp("Of all that has no rate of its own.", valueName: "rate"))
  var learningRate = 2e-6

  @Option(
    name: .customLong("unet_lr"),
    help: ArgumentHelp("That of the UNet; 0 leaves it out.", valueName: "rate"))
  var unetRate: Double?

  @Option(
    name: .customLong("text_encoder_lr"), parsing: .singleValue,
    help: ArgumentHelp(
      "That of the text encoder, or one for each; 0 leaves it out.", valueName: "rate"))
  var textEncoderRates: [Double] = []

  @Option(
    name: .customLong("lr_scheduler"),
    help: ArgumentHelp(
      "constant, constant_with_warmup, linear, cosine, cosine_with_restarts, polynomial, "
        + "inverse_sqrt, cosine_with_min_lr, warmup_stable_decay, piecewise_constant, rex or adafactor.",
      valueName: "name"))
  var schedule = "constant"

  @Option(
    name: .customLong("lr_scheduler_type"),
    help: ArgumentHelp(
      "A schedule of torch.optim.lr_scheduler instead, CosineAnnealingLR for example; "
        + "'--lr_scheduler_args' has its arguments.", valueName: "class"))
  var scheduleType: String?

  @Option(
    name: .customLong("lr_warmup_steps"),
    help: ArgumentHelp("Steps, or share of them, over which the rate rises.", valueName: "n"))
  var warmup = 0.0

  @Option(
    name: .customLong("lr_decay_steps"),
    help: ArgumentHelp("Steps, or share of them, over which it falls.", valueName: "n"))
  var decay = 0.0

  @Option(
    name: .customLong("lr_scheduler_num_cycles"),
    help: ArgumentHelp("Restarts of cosine_with_restarts.", valueName: "n"))
  var cycles = 1

  @Option(
    name: .customLong("lr_scheduler_power"),
    help: ArgumentHelp("Power of polynomial.", valueName: "p"))
  var power = 1.0

  @Option(
    name: .customLong("lr_scheduler_timescale"),
    help: ArgumentHelp("Timescale of inverse_sqrt. Default: the steps of warmup.", valueName: "n"))
  var timescale: Int?

  @Option(
    name: .customLong("lr_scheduler_min_lr_ratio"),
    help: ArgumentHelp(
      "Lowest rate of cosine_with_min_lr and warmup_stable_decay, as a share of the rate.",
      valueName: "ratio"))
  var lowestRatio: Double?

  @Option(
    name: .customLong("lr_scheduler_args"), parsing: .singleValue,
    help: ArgumentHelp("Further options of the schedule.", valueName: "key=value"))
  var scheduleArguments: [String] = []

  @Option(
    name: .customLong("max_grad_norm"),
    help: ArgumentHelp("Bound of the norm of all gradients; 0 for none.", valueName: "norm"))
  var largestGradient = 1.0

  @Option(
    name: .customLong("ema_decay"),
    help: ArgumentHelp(
      "Keep a moving average of the adapter, and save that.", valueName: "decay"))
  var averageDecay: Double?

  func validate() throws {
    if usesAdam8bit && usesLion {
      throw ValidationError("'--use_8bit_adam' and '--use_lion_optimizer' exclude each other")
    }
    if let averageDecay, !(0..<1).contains(averageDecay) {
      throw ValidationError("'--ema_decay': expected 0 up to below 1, found \(averageDecay)")
    }
  }

  /// Whether not every text encoder is left out.
  var trainsTextEncoders: Bool {
    textEncoderRates.isEmpty || textEncoderRates.contains { $0 != 0 }
  }

  /// The name that counts.
  var name: String { usesAdam8bit ? "AdamW8bit" : usesLion ? "Lion" : optimizer }
}
