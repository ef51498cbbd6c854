/// What `lyco-convert` is asked to do with checkpoints.
package struct CheckpointConversionSettings {
  /// nil keeps the format of every tensor.
  package var storage: CheckpointStorage?
  /// What is left out.
  package var pruned: Set<PrunedPart>
  /// Whether the moving averages that a training checkpoint keeps take the place of its weights.
  package var extractsAverages: Bool
  /// How several checkpoints become one.
  package var arithmetic: CheckpointArithmetic
  package var metadata: MetadataPolicy
  /// Entries that are set whatever the policy.
  package var addedMetadata: [String: String]
  package var threads: Int
  /// Largest number of bytes of a shard; nil for one file.
  package var shardSize: Int?

  package init(
    storage: CheckpointStorage? = nil, pruned: Set<PrunedPart> = [],
    extractsAverages: Bool = false, arithmetic: CheckpointArithmetic = CheckpointArithmetic(),
    metadata: MetadataPolicy = .keep, addedMetadata: [String: String] = [:], threads: Int,
    shardSize: Int? = nil
  ) {
    self.storage = storage
    self.pruned = pruned
    self.extractsAverages = extractsAverages
    self.arithmetic = arithmetic
    self.metadata = metadata
    self.addedMetadata = addedMetadata
    self.threads = threads
    self.shardSize = shardSize
  }
}
