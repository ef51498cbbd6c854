package import Adapters
package import Checkpoints
package import Tensors

/// What `lyco-merge` is asked to do with a base and its adapters.
package struct MergeSettings {
  /// Format of every floating-point tensor of the output; nil keeps that of the base.
  package var storage: DType?
  package var filter: ModuleFilter
  /// Whether adapter modules without a place in the base are passed over.
  package var isLenient: Bool
  /// What the user vouches for, where an adapter's file leaves something open.
  package var assertions: Set<Assertion>
  package var threads: Int
  /// Largest number of bytes of a shard; nil for one file.
  package var shardSize: Int?
  /// Whether it is measured how far every tensor is changed, by every adapter. Weights that change are then read twice,
  /// and those that several adapters change are computed once more for each.
  package var measures = false

  package init(
    storage: DType? = nil, filter: ModuleFilter, isLenient: Bool = false,
    assertions: Set<Assertion> = [], threads: Int, shardSize: Int? = nil
  ) {
    self.storage = storage
    self.filter = filter
    self.isLenient = isLenient
    self.assertions = assertions
    self.threads = threads
    self.shardSize = shardSize
  }
}

/// An adapter with the strengths at which it is merged.
package struct WeightedAdapter: Sendable {
  package let file: AdapterFile
  /// Multiplier of modules of the denoiser.
  package let denoiserRatio: Float
  /// Multiplier of modules of the text encoders.
  package let textEncoderRatio: Float
  /// Further factors by block; nil for none.
  package var blockWeights: BlockWeights?

  package init(file: AdapterFile, denoiserRatio: Float, textEncoderRatio: Float) {
    self.file = file
    self.denoiserRatio = denoiserRatio
    self.textEncoderRatio = textEncoderRatio
  }
}
