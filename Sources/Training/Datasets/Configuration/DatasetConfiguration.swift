import Machine
package import ModelFamilies
import SystemPackage

/// All datasets of a run, with every value resolved: subset, then dataset, then `[general]`, then the
/// command line, then the default.
package struct DatasetConfiguration: Sendable {
  package var datasets: [DatasetSettings]
  /// Whether a configuration file says what is trained, on which the form of the metadata depends.
  package let isFromFile: Bool
  /// What a user should know and nothing needs to stop for.
  package var notices: [String] = []

  package init(datasets: [DatasetSettings], isFromFile: Bool) {
    self.datasets = datasets
    self.isFromFile = isFromFile
  }

  /// - Parameters:
  ///   - latents: what is trained, to which sizes of pictures are rounded.
  ///   - prepared: how files of items are known that come encoded; nil where pictures and captions are read.
  /// - Throws: `DatasetError` of the configuration's file, or of a value that does not fit another
  package init(
    _ defaults: DatasetDefaults, latents: LatentLayout, prepared: PreparedLayout? = nil
  ) throws(DatasetError) {
    if let file = defaults.configuration {
      let reading = try DatasetFile(reading: file, isPrepared: prepared != nil)
      self.init(datasets: [], isFromFile: true)
      for (path, flag) in [
        (defaults.trainFolder, "--train_data_dir"), (defaults.metadataFile, "--in_json"),
        (defaults.regularizationFolder, "--reg_data_dir"),
      ] where path != nil {
        notices.append("'\(flag)' has no effect: '--dataset_config' says what is trained")
      }
      for dataset in reading.datasets {
        let levels = [dataset.values, reading.general, defaults.values]
        let subsets = dataset.subsets.map { Self.subset([$0] + levels, defaults) }
        if let prepared {
          datasets.append(Self.prepared(levels, subsets, prepared))
        } else {
          datasets.append(try Self.dataset(levels, subsets, defaults))
        }
      }
    } else if prepared != nil {
      throw .noPreparedFolder
    } else {
      self.init(datasets: [], isFromFile: false)
      let subsets =
        if let metadata = defaults.metadataFile {
          [Self.listed(in: metadata, defaults)]
        } else {
          try foldersOfCommandLine(defaults)
        }
      datasets = [try Self.dataset([defaults.values], subsets, defaults)]
    }
    if prepared == nil {
      round(toStepsOf: latents)
    } else {
      noticePreparation()
    }
    try checkSettings(latents)
  }

  private static func listed(
    in metadata: FilePath, _ defaults: DatasetDefaults
  ) -> SubsetSettings {
    var values = DatasetValues()
    values.metadataFile = metadata.text
    values.imageDir = defaults.trainFolder?.text
    return subset([values, defaults.values], defaults)
  }

  static func dataset(
    _ levels: [DatasetValues], _ subsets: [SubsetSettings], _ defaults: DatasetDefaults
  ) throws(DatasetError) -> DatasetSettings {
    guard let resolution = DatasetValues.first(\.resolution, of: levels) else {
      throw .setting(
        "resolution", expected: "'--resolution', or the key in the configuration", found: "none")
    }
    var settings = DatasetSettings(resolution: resolution)
    func value<V>(_ key: KeyPath<DatasetValues, V?>, _ standard: V) -> V {
      DatasetValues.first(key, of: levels) ?? standard
    }
    settings.batchSize = value(\.batchSize, settings.batchSize)
    if value(\.enableBucket, false) {
      var buckets = BucketSettings()
      buckets.smallest = value(\.minBucketReso, buckets.smallest)
      buckets.largest = value(\.maxBucketReso, buckets.largest)
      buckets.step = value(\.bucketResoSteps, buckets.step)
      buckets.neverEnlarges = value(\.bucketNoUpscale, false)
      settings.buckets = buckets
    }
    settings.networkMultiplier = Float(value(\.networkMultiplier, 1))
    settings.validationSplit = value(\.validationSplit, 0)
    settings.validationSeed = DatasetValues.first(\.validationSeed, of: levels)
    settings.interpolation = DatasetValues.first(\.resizeInterpolation, of: levels)
    settings.priorLossWeight = defaults.priorLossWeight
    settings.subsets = subsets
    return settings
  }

  static func subset(_ levels: [DatasetValues], _ defaults: DatasetDefaults) -> SubsetSettings {
    func optional<V>(_ key: KeyPath<DatasetValues, V?>) -> V? {
      DatasetValues.first(key, of: levels)
    }
    func text(_ key: KeyPath<DatasetValues, String?>) -> String? {
      optional(key).flatMap { $0.isEmpty ? nil : $0 }
    }
    func value<V>(_ key: KeyPath<DatasetValues, V?>, _ standard: V) -> V {
      optional(key) ?? standard
    }
    var settings = SubsetSettings()
    settings.folder = text(\.imageDir).map { FilePath(named: $0) }
    settings.metadataFile = text(\.metadataFile).map { FilePath(named: $0) }
    settings.maskFolder = text(\.conditioningDataDir).map { FilePath($0) }
    settings.repeats = value(\.numRepeats, 1)
    settings.isRegularization = value(\.isReg, false)
    settings.classTokens = optional(\.classTokens)
    settings.captionExtension = text(\.captionExtension).map { $0.hasPrefix(".") ? $0 : "." + $0 }
    settings.flips = value(\.flipAug, false)
    settings.variesColors = value(\.colorAug, false)
    settings.cropsAtRandom = value(\.randomCrop, false)
    settings.usesAlphaMask = value(\.alphaMask, false)
    settings.interpolation = optional(\.resizeInterpolation)
    settings.customAttributes = value(\.customAttributes, [:])
    settings.captions.prefix = text(\.captionPrefix)
    settings.captions.suffix = text(\.captionSuffix)
    settings.captions.dropout = value(\.captionDropoutRate, 0)
    settings.captions.dropoutInterval = value(\.captionDropoutEveryNEpochs, 0)
    settings.captions.tagDropout = value(\.captionTagDropoutRate, 0)
    settings.captions.usesWildcards = value(\.enableWildcard, false)
    settings.captions.shuffles = value(\.shuffleCaption, false)
    settings.captions.separator = value(\.captionSeparator, ",")
    settings.captions.secondarySeparator = text(\.secondarySeparator)
    settings.captions.keptTags = value(\.keepTokens, 0)
    settings.captions.keptTagsSeparator = text(\.keepTokensSeparator)
    settings.captions.warmupSteps = value(\.tokenWarmupStep, 0)
    settings.captions.warmupTags = value(\.tokenWarmupMin, 1)
    return settings
  }

  /// Brings sizes that no latents have to those that are trained: the VAE drops what is left of a side.
  private mutating func round(toStepsOf latents: LatentLayout) {
    let (stride, unit) = (latents.step, Self.unit(of: latents))
    for index in datasets.indices {
      let resolution = datasets[index].resolution
      if let step = datasets[index].buckets?.step, step < stride, step > 0 {
        datasets[index].buckets?.step = stride
        notices.append(
          "bucket_reso_steps: \(step) is taken as \(stride), the pixels of \(unit); kohya's scripts ask for "
            + "multiples of 32 or 64")
      }
      let rounded = Resolution(
        resolution.width / stride * stride, resolution.height / stride * stride)
      guard datasets[index].buckets == nil, rounded != resolution, rounded.width > 0,
        rounded.height > 0
      else { continue }
      datasets[index].resolution = rounded
      notices.append(
        "resolution: \(rounded) of \(resolution) is trained: \(unit) is \(stride) pixels, and the VAE drops the "
          + "rest")
    }
  }

  /// What sides are made up of.
  private static func unit(of latents: LatentLayout) -> String {
    latents.patch > 1 ? "a token" : "a latent"
  }

  /// Most pixels of a side and most images of a batch, far beyond what can be computed.
  private static let largest = 1 << 16

  /// Values that fit their keys and not each other.
  mutating func checkSettings(_ latents: LatentLayout) throws(DatasetError) {
    let stride = latents.step
    for dataset in datasets {
      let resolution = dataset.resolution
      for (name, value) in [
        ("resolution", max(resolution.width, resolution.height)),
        ("batch_size", dataset.batchSize),
        ("max_bucket_reso", dataset.buckets?.largest ?? 1),
        ("min_bucket_reso", dataset.buckets?.smallest ?? 1),
        ("bucket_reso_steps", dataset.buckets?.step ?? stride),
      ] where !(1...Self.largest).contains(value) {
        throw .setting(name, expected: "1 to \(Self.largest)", found: "\(value)")
      }
      guard dataset.prepared == nil else { continue }
      guard let buckets = dataset.buckets else {
        guard latents.patch == 1 || min(resolution.width, resolution.height) >= stride else {
          throw .setting(
            "resolution",
            expected: "sides of at least \(stride) pixels, those of \(Self.unit(of: latents))",
            found: "\(resolution)")
        }
        continue
      }
      guard buckets.step % stride == 0 else {
        throw .setting(
          "bucket_reso_steps",
          expected: "a multiple of \(stride), the pixels of \(Self.unit(of: latents))",
          found: "\(buckets.step)")
      }
      guard !buckets.neverEnlarges else { continue }
      let sides = BucketRule.sides(buckets)
      for (name, given, used) in [
        ("min_bucket_reso", buckets.smallest, sides.lowerBound),
        ("max_bucket_reso", buckets.largest, sides.upperBound),
      ] where given != used {
        notices.append("\(name) is \(used), the next multiple of \(buckets.step) from \(given)")
      }
      guard min(resolution.width, resolution.height) >= sides.lowerBound else {
        throw .setting(
          "min_bucket_reso", expected: "at most the resolution \(resolution)",
          found: "\(sides.lowerBound)")
      }
      guard max(resolution.width, resolution.height) <= sides.upperBound else {
        throw .setting(
          "max_bucket_reso", expected: "at least the resolution \(resolution)",
          found: "\(sides.upperBound)")
      }
    }
  }
}
