import ArgumentParser
import CommandSupport

/// Times and weights where a model finds the flow from latents to noise.
struct FlowOptions: ParsableArguments {
  @Option(
    name: .customLong("timestep_sampling"),
    help: ArgumentHelp(
      "How the share of noise is drawn: sigma, uniform, sigmoid, shift, flux_shift …",
      valueName: "name"), completion: .list(OptionTable.words(of: "timestep_sampling", in: .train)))
  var sampling = "sigma"

  @Option(
    name: .customLong("discrete_flow_shift"),
    help: ArgumentHelp(
      "How far 'shift', and of Flux.1 also 'sigma', move it toward noise; 3 to 7. Default: 3 of Flux.1, else 1.",
      valueName: "x"))
  var shift: Double?

  @Option(
    name: .customLong("training_shift"),
    help: ArgumentHelp(
      "How far the timesteps of Stable Diffusion 3 are moved toward noise.", valueName: "x"))
  var trainingShift = 1.0

  @Option(
    name: .customLong("sigmoid_scale"),
    help: ArgumentHelp("How far apart 'sigmoid' and the shifts draw.", valueName: "x"))
  var sigmoidScale = 1.0

  @Option(
    name: .customLong("weighting_scheme"),
    help: ArgumentHelp(
      "What the loss counts by the share of noise, and the density of 'sigma': none, logit_normal, mode, cosmap, "
        + "sigma_sqrt.", valueName: "name"),
    completion: .list(OptionTable.words(of: "weighting_scheme", in: .train)))
  var weighting: String?

  @Option(
    name: .customLong("model_prediction_type"),
    help: ArgumentHelp(
      "What of FLUX.1 is compared with the flow: raw, its prediction; additive and sigma_scaled as sd-scripts has them.",
      valueName: "name"),
    completion: .list(OptionTable.words(of: "model_prediction_type", in: .train)))
  var prediction = "raw"

  @Option(
    name: .customLong("logit_mean"),
    help: ArgumentHelp("Mean of logit_normal and logsnr.", valueName: "x"))
  var logitMean = 0.0

  @Option(
    name: .customLong("logit_std"),
    help: ArgumentHelp("Their deviation.", valueName: "x"))
  var logitDeviation = 1.0

  @Option(
    name: .customLong("mode_scale"), help: ArgumentHelp("Of the density 'mode'.", valueName: "x"))
  var modeScale = 1.29

  @Flag(
    name: .customLong("preserve_distribution_shape"),
    help:
      "Cut the distribution off at --min_timestep and --max_timestep instead of pressing it between them."
  )
  var keepsShape = false

  @Option(
    name: .customLong("num_timestep_buckets"),
    help: ArgumentHelp(
      "Draw as many samples of an epoch from each of so many parts of the range.", valueName: "n"))
  var bucketCount: Int?

  @Option(
    name: .customLong("guidance_scale"),
    help: ArgumentHelp(
      "What a model with a guidance input is told. Default: as its trainer tells it.",
      valueName: "x"))
  var guidance: Double?
}
