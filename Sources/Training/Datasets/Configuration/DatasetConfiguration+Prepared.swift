import ModelFamilies
import SystemPackage

/// Datasets whose items come encoded.
extension DatasetConfiguration {
  /// musubi-tuner's, where none is given.
  private static let resolution = Resolution(960, 544)

  /// - Parameter levels: the dataset's own first.
  static func prepared(
    _ levels: [DatasetValues], _ subsets: [SubsetSettings], _ layout: PreparedLayout
  ) -> DatasetSettings {
    func value<V>(_ key: KeyPath<DatasetValues, V?>, _ standard: V) -> V {
      DatasetValues.first(key, of: levels) ?? standard
    }
    var settings = DatasetSettings(resolution: value(\.resolution, resolution))
    settings.batchSize = value(\.batchSize, settings.batchSize)
    if value(\.enableBucket, false) {
      var buckets = BucketSettings()
      buckets.step = layout.step
      buckets.neverEnlarges = value(\.bucketNoUpscale, false)
      settings.buckets = buckets
    }
    settings.networkMultiplier = Float(value(\.networkMultiplier, 1))
    settings.validationSplit = value(\.validationSplit, 0)
    settings.validationSeed = DatasetValues.first(\.validationSeed, of: levels)
    settings.prepared = PreparedSettings(
      levels[0].prepared, captionExtension: DatasetValues.first(\.captionExtension, of: levels))
    settings.subsets = subsets.map {
      var subset = $0
      subset.folder = settings.prepared?.folder
      subset.metadataFile = nil
      return subset
    }
    return settings
  }

  /// Tells of what the command line says of pictures and captions, which come encoded.
  mutating func noticePreparation() {
    guard let subset = datasets.first?.subsets.first else { return }
    let captions = subset.captions
    let given = [
      ("--flip_aug", subset.flips), ("--color_aug", subset.variesColors),
      ("--random_crop", subset.cropsAtRandom), ("--alpha_mask", subset.usesAlphaMask),
      ("--shuffle_caption", captions.shuffles), ("--enable_wildcard", captions.usesWildcards),
      ("--caption_dropout_rate", captions.dropout > 0),
      ("--caption_dropout_every_n_epochs", captions.dropoutInterval > 0),
      ("--caption_tag_dropout_rate", captions.tagDropout > 0),
      ("--caption_prefix", captions.prefix != nil), ("--caption_suffix", captions.suffix != nil),
      ("--keep_tokens", captions.keptTags > 0),
      ("--keep_tokens_separator", captions.keptTagsSeparator != nil),
      ("--caption_separator", captions.separator != CaptionSettings().separator),
      ("--secondary_separator", captions.secondarySeparator != nil),
      ("--token_warmup_step", captions.warmupSteps > 0),
    ].filter(\.1).map { "'\($0.0)'" }
    guard !given.isEmpty else { return }
    notices.append(
      "\(given.joined(separator: ", ")) \(given.count == 1 ? "has" : "have") no effect: latents and captions "
        + "come encoded")
  }
}
