package import Pipelines

/// What a user asks for: prompts, and what counts for those that do not say it themselves.
package struct SamplingConfiguration: Sendable {
  package var model: ModelSettings
  package var prompts: [SamplePrompt]
  /// Adapters that are applied together; each of these draws all pictures.
  package var variants = [SamplingVariant(label: "", adapters: [])]
  package var negative = ""
  /// In pixels; nil for the size at which the family was trained.
  package var width: Int?
  package var height: Int?
  /// nil for what the family's trainer takes, or 20.
  package var steps: Int?
  /// Of classifier-free guidance; nil for what the family's trainer takes, or 7.5.
  package var scale: Double?
  /// What a model with a guidance input is told; nil for what the family's trainer tells it.
  package var guidance: Double?
  package var sampler = Sampler.standard
  /// Of the first picture of a prompt, the others count on from it; nil for one that is drawn.
  package var seed: UInt64?
  /// Pictures of each prompt.
  package var count = 1
  /// Whether the model predicts velocity; if not, the checkpoint may say it.
  package var predictsVelocity = false
  /// Whether it was trained with noise alone at the last timestep; if not, the checkpoint may say it.
  package var hasZeroTerminalSNR = false
  /// nil for all cores, or one for a small model.
  package var threads: Int?
  /// A preview after so many steps; nil for none.
  package var previewSteps: Int?

  static let (commonSteps, commonScale) = (20, 7.5)

  package init(model: ModelSettings, prompts: [SamplePrompt]) {
    self.model = model
    self.prompts = prompts
  }
}
