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
}
