/// What a conversion of checkpoints did.
package struct CheckpointConversionReport: Codable, Sendable {
  package let sources: [String]
  package let family: String
  package let evidence: [String]
  package let method: CheckpointArithmetic.Method?
  /// Keys left out, by what they are.
  package let pruned: [String: Int]
  /// Tensors of the first that no other has, and of the others that the first lacks.
  package let onlyInFirst: Int
  package let notInFirst: Int
  package let warnings: [String]
  /// What was written, to be opened: files, or the indices of shards.
  package internal(set) var files: [String] = []
  package internal(set) var copiedTensors = 0
  package internal(set) var convertedTensors = 0
  package internal(set) var summedTensors = 0
  package internal(set) var bytes = 0
  /// Numbers that were stored in another format.
  package internal(set) var numbers = 0
  /// Of these, which thereby became another number.
  package internal(set) var rounded = 0
  /// Of numbers that were stored in another format or computed: not a number, or infinite, before.
  package internal(set) var notANumber = 0
  package internal(set) var infinite = 0
  /// Too large for the format: infinite after, or held at its largest number.
  package internal(set) var overflowed = 0
  /// Not zero before, and zero after.
  package internal(set) var underflowed = 0
  package internal(set) var seconds = 0.0
}
