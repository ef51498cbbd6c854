package import Checkpoints
package import ModelFamilies
package import Tensors

/// Where the alphas of a converted adapter stand.
package enum AlphaPolicy: String, CaseIterable, Sendable {
  /// alpha / rank is multiplied into the factors, which then need no alpha.
  case fold
  /// In `.alpha` tensors, exactly as they were.
  case keep
  /// In the configuration of PEFT or diffusers.
  case config
}

/// What becomes of the metadata.
package enum MetadataPolicy: String, CaseIterable, Sendable {
  case keep, minimal, none
}

/// What `lyco-convert` is asked to do with adapters.
package struct AdapterConversionSettings {
  /// nil for what the reader has, and without one keeps every name as it is.
  package var format: AdapterFormat?
  /// The program that is to load the adapter; nil for none in particular.
  package var reader: AdapterReader?
  /// What the adapters are said to be; nil to recognize it.
  package var source: AdapterFormat?
  /// What the adapter is read as; recognized if nil.
  package var family: ModelFamily?
  /// nil for what suits the format.
  package var alpha: AlphaPolicy?
  /// Format of floating-point tensors; nil keeps each.
  package var storage: DType?
  package var metadata: MetadataPolicy
  /// Entries that are set whatever the policy.
  package var addedMetadata: [String: String]
  /// Whether modules whose names no table knows are copied as they are instead of refused.
  package var isLenient: Bool
  package var threads: Int
  package var combination = CombinationSettings()
  package var reshaping = ReshapingSettings()
  package var bundle = EmbeddingBundle()

  /// The checkpoint that the adapters are for, where it is given.
  var base: BaseModel? { combination.base ?? reshaping.base }

  package init(
    format: AdapterFormat? = nil, source: AdapterFormat? = nil, family: ModelFamily? = nil,
    alpha: AlphaPolicy? = nil,
    storage: DType? = nil, metadata: MetadataPolicy = .keep,
    addedMetadata: [String: String] = [:], isLenient: Bool = false, threads: Int
  ) {
    self.format = format
    self.source = source
    self.family = family
    self.alpha = alpha
    self.storage = storage
    self.metadata = metadata
    self.addedMetadata = addedMetadata
    self.isLenient = isLenient
    self.threads = threads
  }
}
