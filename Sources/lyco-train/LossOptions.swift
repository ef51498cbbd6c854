import ArgumentParser
import CommandSupport

/// Noise, and what is made of the error.
struct LossOptions: ParsableArguments {
  @Option(
    name: .customLong("noise_offset"),
    help: ArgumentHelp("Strength of noise that shifts whole channels; 0.05.", valueName: "x"))
  var noiseOffset: Float?

  @Flag(
    name: .customLong("noise_offset_random_strength"), help: "Draw its strength from 0 up to it.")
  var drawsNoiseOffset = false

  @Option(
    name: .customLong("adaptive_noise_scale"),
    help: ArgumentHelp(
      "What is added to it for each unit of the mean of the latents.", valueName: "x"))
  var adaptiveNoiseScale: Float?

  @Option(
    name: .customLong("multires_noise_iterations"),
    help: ArgumentHelp("Layers of coarser noise to add; 6 to 10.", valueName: "n"))
  var multiresIterations: Int?

  @Option(
    name: .customLong("multires_noise_discount"),
    help: ArgumentHelp("How much weaker each coarser layer of noise is.", valueName: "x"))
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

  @Option(
    name: .customLong("min_timestep"),
    help: ArgumentHelp("First timestep that is drawn. Default: 0.", valueName: "t"))
  var firstTimestep: Int?

  @Option(
    name: .customLong("max_timestep"),
    help: ArgumentHelp("Timestep before which drawing ends. Default: 1000.", valueName: "t"))
  var lastTimestep: Int?

  @Option(
    name: .customLong("loss_type"),
    help: ArgumentHelp("l2, l1, huber or smooth_l1.", valueName: "name"),
    completion: .list(OptionTable.words(of: "loss_type", in: .train)))
  var loss = "l2"

  @Option(
    name: .customLong("huber_schedule"),
    help: ArgumentHelp("snr, exponential or constant.", valueName: "name"),
    completion: .list(OptionTable.words(of: "huber_schedule", in: .train)))
  var huberSchedule = "snr"

  @Option(
    name: .customLong("huber_c"),
    help: ArgumentHelp("Where huber and smooth_l1 turn from squares to distances.", valueName: "c"))
  var huberC = 0.1

  @Option(
    name: .customLong("huber_scale"),
    help: ArgumentHelp("What their loss is multiplied by.", valueName: "x"))
  var huberScale = 1.0

  @Option(
    name: .customLong("min_snr_gamma"),
    help: ArgumentHelp("Bound of the weight of easy timesteps; 5.", valueName: "gamma"))
  var minSNRGamma: Double?

  @Flag(
    name: .customLong("scale_v_pred_loss_like_noise_pred"),
    help: "Weigh the loss of a model that predicts v as if it predicted noise.")
  var scalesVelocityLoss = false

  @Option(
    name: .customLong("v_pred_like_loss"),
    help: ArgumentHelp(
      "Share of the loss that is weighed as if the model predicted v.", valueName: "x"))
  var velocityLikeLoss: Double?

  @Flag(
    name: .customLong("debiased_estimation_loss"),
    help: "Weigh the loss by the inverse root of the signal-to-noise ratio.")
  var isDebiased = false

  @Flag(name: .customLong("masked_loss"), help: "Weigh the loss by masks.")
  var isMasked = false
}
