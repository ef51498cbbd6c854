package import ModelFamilies
package import Pipelines

/// One picture that is to be drawn, with all that makes it what it is beside model and adapters.
package struct PictureRequest: Hashable, Sendable {
  package var prompt: String
  /// What it is drawn away from.
  package var negative: String
  /// In pixels, multiples of what one place of the latents covers.
  package var width: Int
  package var height: Int
  /// As of `torch.manual_seed`.
  package var seed: UInt64
  package var steps: Int
  /// Of classifier-free guidance; up to 1 the negative prompt takes no part, and half of the work is left out.
  package var scale: Double
  package var sampler: Sampler
  /// Which of the prompts it is of, from 0.
  package var promptIndex: Int
  /// What a model with a guidance input is told; nil where nothing is.
  package var guidance: Double?
  /// Of a model that finds a flow: how its steps lie, and how far they are moved toward noise.
  package var spacing = SamplingRules.Spacing.whole
  package var flowShift = 1.0

  package init(
    _ prompt: String, negative: String, width: Int, height: Int, seed: UInt64, steps: Int,
    scale: Double, sampler: Sampler, promptIndex: Int = 0
  ) {
    self.prompt = prompt
    self.negative = negative
    self.width = width
    self.height = height
    self.seed = seed
    self.steps = steps
    self.scale = scale
    self.sampler = sampler
    self.promptIndex = promptIndex
  }

  /// Whether it is drawn away from the negative prompt.
  package var isGuided: Bool { scale > 1 }

  /// The texts that one batch of the denoiser is about: the negative prompt first.
  var texts: [String] { isGuided ? [negative, prompt] : [prompt] }

  /// - Throws: `SamplerError`
  package func solver(
    _ prediction: Prediction, _ schedule: NoiseSchedule
  ) throws(SamplerError) -> any Solver {
    try sampler.solver(
      steps: steps, prediction: prediction, schedule: schedule, spacing: spacing,
      flowShift: flowShift)
  }
}
