package import Checkpoints
package import Tensors

/// What a conversion of adapters did, or would do.
package struct ConversionReport: Codable, Sendable {
  /// By input: how its keys are spelled.
  package internal(set) var from: [String] = []
  package internal(set) var to = ""
  /// nil where no family knows the names.
  package internal(set) var family: String?
  package internal(set) var evidence: [String] = []
  package internal(set) var alpha = ""
  /// Modules of all inputs, and of the output.
  package internal(set) var read = 0
  package internal(set) var written = 0
  /// By algorithm, modules of the output.
  package internal(set) var algorithms: [String: Int] = [:]
  package internal(set) var split = 0
  package internal(set) var fused = 0
  package internal(set) var duplicates = 0
  /// By format of their factors, modules of the output.
  package internal(set) var formats: [String: Int] = [:]
  /// Sums of which rounding to the format of the adapters would lose too much, so that they are F32.
  package internal(set) var widened = 0
  /// Tensors of no module that are carried along.
  package internal(set) var carried = 0
  package internal(set) var unmatched: [UnmatchedModule] = []
  package internal(set) var warnings: [String] = []
  /// Modules of the inputs that the output lacks, and why.
  package internal(set) var leftOut: [LeftOutModule] = []
  /// What became of numbers that were computed or stored in another format.
  package internal(set) var losses = ConversionLosses()
  /// What became of ranks and algorithms; nil where they stayed.
  package internal(set) var reshaping: ReshapingReport?
  package internal(set) var files: [String] = []
  package internal(set) var bytes = 0
  package internal(set) var seconds = 0.0
}
