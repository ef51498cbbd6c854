package import Images
package import Sampling

/// What one level of the configuration says: a subset, its dataset, `[general]`, or the command line.
/// Everything may be left to the level above. Names are those of sd-scripts' keys.
package struct DatasetValues: Equatable, Sendable {
  package init() {}

  // MARK: Of a dataset

  package var batchSize: Int?
  package var resolution: Resolution?
  package var enableBucket: Bool?
  package var minBucketReso: Int?
  package var maxBucketReso: Int?
  package var bucketResoSteps: Int?
  package var bucketNoUpscale: Bool?
  package var networkMultiplier: Double?
  package var validationSplit: Double?
  package var validationSeed: Int?
  package var resizeInterpolation: Interpolation?

  // MARK: Of a subset

  package var numRepeats: Int?
  package var flipAug: Bool?
  package var colorAug: Bool?
  package var randomCrop: Bool?
  package var shuffleCaption: Bool?
  package var keepTokens: Int?
  package var keepTokensSeparator: String?
  package var secondarySeparator: String?
  package var captionSeparator: String?
  package var enableWildcard: Bool?
  package var tokenWarmupMin: Int?
  package var tokenWarmupStep: Double?
  package var captionPrefix: String?
  package var captionSuffix: String?
  package var captionDropoutRate: Double?
  package var captionDropoutEveryNEpochs: Int?
  package var captionTagDropoutRate: Double?
  package var captionExtension: String?
  package var classTokens: String?
  package var customAttributes: [String: ConfigurationValue]?
  package var alphaMask: Bool?

  // MARK: Of one subset alone

  package var imageDir: String?
  package var metadataFile: String?
  package var conditioningDataDir: String?
  package var isReg: Bool?

  // MARK: Of one dataset alone

  package var prepared = PreparedValues()

  /// The value of the first level that has one.
  static func first<Value>(
    _ key: KeyPath<DatasetValues, Value?>, of levels: [DatasetValues]
  ) -> Value? {
    levels.lazy.compactMap { $0[keyPath: key] }.first
  }
}
