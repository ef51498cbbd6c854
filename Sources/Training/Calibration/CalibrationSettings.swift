package import Pipelines
package import Sampling
package import SystemPackage

/// How the inputs of a model's layers are watched.
package struct CalibrationSettings: Sendable {
  /// What the model runs on.
  package enum Source: Sendable {
    /// Pictures of a folder, with captions, and with latents where they are kept beside them.
    case pictures(FilePath)
    /// A description of datasets, as lyco-train reads it.
    case datasets(FilePath)
    /// What the model itself draws.
    case drawn([SamplePrompt])
  }

  /// The model that runs.
  package var model: ModelSettings
  package var source: Source
  /// Forward passes of one sample each.
  package var samples = 64
  /// Whether it is also found out how much the prediction depends on every output, by a backward pass of each sample.
  package var takesGradients = false
  package var seed: UInt64 = 0
  /// Whether the model is held and multiplied in bf16, also where its own format and kind do not ask for it.
  package var isNarrow = false
  /// Bytes of moments that stay in memory; nil for half of what is left.
  package var momentBytes: Int?
  /// Where what is beyond lies in files without a name.
  package var scratchFolder: FilePath = "."
  /// nil for as many as help.
  package var threads: Int?

  package init(model: ModelSettings, source: Source) {
    self.model = model
    self.source = source
  }
}
