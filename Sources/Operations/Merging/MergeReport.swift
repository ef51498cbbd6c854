package import Checkpoints

/// What a merge did.
package struct MergeReport: Codable, Sendable {
  package let base: String
  package let family: String
  package let evidence: [String]
  package let matched: Int
  package let skipped: Int
  package let unmatched: [UnmatchedModule]
  package let warnings: [String]
  /// In the order of the command line.
  package let adapters: [Adapter]
  /// What was written, to be opened: files, or the indices of shards.
  package var files: [String] = []
  /// Tensors of the output that an adapter changed, and that were copied byte for byte.
  package var changedTensors = 0
  package var copiedTensors = 0
  package var bytes = 0
  /// Numbers that became infinite in the format of the output.
  package var overflowed = 0
  /// Of the numbers of 8-bit tensors that an adapter touched, how many kept their code because
  /// the change is below the format's precision.
  package var float8Unchanged = 0
  package var float8Count = 0
  package var seconds = 0.0
  /// What became of every tensor that an adapter changed, in the order of the base; nil where it was not measured.
  package var changes: [Change]?
  /// The options of the command, as they were read; nil where it was not asked for.
  package var options: [String]?
}

extension MergeReport {
  /// One of the adapters.
  package struct Adapter: Codable, Sendable {
    package let file: String
    /// Of its modules for the denoiser.
    package let ratio: Double
    /// Of those for text encoders.
    package let textEncoderRatio: Double
    /// What it holds.
    package let modules: Int
    /// Tensors of the base that it changes.
    package let tensors: Int
    /// How many modules of each algorithm it holds.
    package let algorithms: [String: Int]
  }

  /// One tensor that changed.
  package struct Change: Codable, Sendable {
    package let tensor: String
    /// The part of the model: `unet` (any denoiser), `te1`, …
    package let component: String
    /// The dotted name of the layer that patterns see; of the first one where the tensor holds several.
    package let path: String
    package let shape: [Int]
    package let isBias: Bool
    /// Formats of the stored numbers, before and after; `before` is nil for a bias that the base does not have.
    package let before: String?
    package let after: String
    /// ‖W‖_F of the base
    package let norm: Double
    /// ‖W' − W‖_F before rounding
    package let change: Double
    /// ‖W' − W‖_F / ‖W‖_F; nil where W is zero
    package let relativeChange: Double?
    /// ‖stored W' − W'‖_F, what rounding to the format took or added; nil for codes with scales.
    package let rounding: Double?
    package let adapters: [Part]
  }

  /// What one adapter did to a tensor.
  package struct Part: Codable, Sendable {
    /// Its place in `adapters`, from 0.
    package let adapter: Int
    package let modules: [String]
    package let algorithm: String
    package let rank: Int?
    package let multiplier: Double
    /// ‖W' − W‖_F of this adapter alone
    package let change: Double
  }
}
