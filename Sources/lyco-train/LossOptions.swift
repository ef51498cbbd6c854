import ArgumentParser

/// Noise, and what is made of the error.
struct LossOptions: ParsableArguments {
  @Option(name: .customLong("noise_offset"), help: ArgumentHelp(valueName: "x"))
  var noiseOffset: Float?

  @Flag(
    name: .customLong("noise_offset_random_strength"), help: "Draw its strength from 0 up to it.")
  var drawsNoiseOffset = false

  @Option(name: .customLong("adaptive_noise_scale"), help: ArgumentHelp(valueName: "x"))
  var adaptiveNoiseScale: Float?

  @Option(
    name: .customLong("multires_noise_iterations"),
    help: ArgumentHelp("Layers of coarser noise to add; 6 to 10.", valueName: "n"))
  var multiresIterations: Int?

  @Option(name: .customLong("multires_noise_discount"), help: ArgumentHelp(valueName: "x"))
  var multiresDiscount: Float = 0.3

  @Option(
    name: .customLong("ip_noise_gamma"),
    help: ArgumentHelp("Strength of noise added to the input alone; 0.1.", valueName: "x"))
  var inputPerturbation: Float?

  @Flag(
    name: .customLong("ip_noise_gamma_random_strength"), help: "Draw it from 0 up to it.")
  var drawsInputPerturbation = false

  @Flag(name: .customLong("zero_terminal_snr"), help: "Let the last timestep be noise alone.")
  var hasZeroTerminalSNR = false

  @Option(name: .customLong("min_timestep"), help: ArgumentHelp(valueName: "t"))
  var firstTimestep: Int?

  @Option(name: .customLong("max_timestep"), help: ArgumentHelp(valueName: "t"))
  var lastTimestep: Int?

  @Option(
    name: .customLong("loss_type"),
    help: ArgumentHelp("l2, l1, huber or smooth_l1.", valueName: "name"))
  var loss = "l2"

  @Option(
    name: .customLong("huber_schedule"),
    help: ArgumentHelp("snr, exponential or constant.", valueName: "name"))
  var huberSchedule = "snr"

  @Option(name: .customLong("huber_c"), help: ArgumentHelp(valueName: "c"))
  var huberC = 0.1

  @Option(name: .customLong("huber_scale"), help: ArgumentHelp(valueName: "x"))
  var huberScale = 1.0

  @Option(
    name: .customLong("min_snr_gamma"),
    help: ArgumentHelp("Bound of the weight of easy timesteps; 5.", valueName: "gamma"))
  var minSNRGamma: Double?

  @Flag(name: .customLong("scale_v_pred_loss_like_noise_pred"))
  var scalesVelocityLoss = false

  @Option(name: .customLong("v_pred_like_loss"), help: ArgumentHelp(valueName: "x"))
  var velocityLikeLoss: Double?

  @Flag(name: .customLong("debiased_estimation_loss"))
  var isDebiased = false

  @Flag(name: .customLong("masked_loss"), help: "Weigh the loss by masks.")
  var isMasked = false
}
