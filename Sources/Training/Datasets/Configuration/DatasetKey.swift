import Images
import Sampling

/// A key of a dataset configuration: where it may stand, what it takes, where the value goes.
struct DatasetKey: Sendable {
  /// Tables of a configuration file, the upper ones first.
  struct Levels: OptionSet, Sendable {
    let rawValue: Int
    static let general = Levels(rawValue: 1)
    static let dataset = Levels(rawValue: 2)
    static let subset = Levels(rawValue: 4)
  }

  let name: String
  let levels: Levels
  let expected: String
  /// Whether the value is of the right kind and in range; stores it if so.
  let read: @Sendable (ConfigurationValue, inout DatasetValues) -> Bool

  /// Whether the value names a file or a folder.
  var isPath: Bool {
    ["_dir", "_directory", "_file"].contains { name.hasSuffix($0) }
  }

  /// The tables that it may stand in, for messages.
  var place: String {
    switch levels {
    case .subset: "[[datasets.subsets]]"
    case .dataset: "[[datasets]]"
    default: "[general] or [[datasets]]"
    }
  }

  typealias Place<Value> = any WritableKeyPath<DatasetValues, Value?> & Sendable

  init(
    _ name: String, _ levels: Levels, _ expected: String,
    _ read: @escaping @Sendable (ConfigurationValue, inout DatasetValues) -> Bool
  ) {
    (self.name, self.levels, self.expected, self.read) = (name, levels, expected, read)
  }

  static func key<Value>(
    _ name: String, _ levels: Levels, _ place: Place<Value>, _ expected: String,
    _ parse: @escaping @Sendable (ConfigurationValue) -> Value?
  ) -> DatasetKey {
    DatasetKey(name, levels, expected) { value, values in
      guard let parsed = parse(value) else { return false }
      values[keyPath: place] = parsed
      return true
    }
  }

  private static func flag(_ name: String, _ levels: Levels, _ place: Place<Bool>) -> DatasetKey {
    key(name, levels, place, "true or false", \.bool)
  }

  static func text(_ name: String, _ levels: Levels, _ place: Place<String>) -> DatasetKey {
    key(name, levels, place, "a text", \.string)
  }

  static func count(
    _ name: String, _ levels: Levels, _ place: Place<Int>, from least: Int = 1
  ) -> DatasetKey {
    key(name, levels, place, "a whole number, \(least) or more") { value in
      value.integer.flatMap { $0 >= least ? $0 : nil }
    }
  }

  private static func rate(_ name: String, _ levels: Levels, _ place: Place<Double>) -> DatasetKey {
    key(name, levels, place, "a number from 0 to 1") { value in
      value.number.flatMap { (0...1).contains($0) ? $0 : nil }
    }
  }

  private static let dataset: Levels = [.general, .dataset]
  private static let everywhere: Levels = [.general, .dataset, .subset]

  /// sd-scripts' schema (library/config_util.py, `ConfigSanitizer`).
  static let all: [DatasetKey] = [
    count("batch_size", dataset, \.batchSize),
    key(
      "resolution", dataset, \.resolution, "a whole number or [width, height], each 8 or more"
    ) { value in
      value.resolution.flatMap { min($0.width, $0.height) >= 8 ? $0 : nil }
    },
    flag("enable_bucket", dataset, \.enableBucket),
    count("min_bucket_reso", dataset, \.minBucketReso),
    count("max_bucket_reso", dataset, \.maxBucketReso),
    count("bucket_reso_steps", dataset, \.bucketResoSteps),
    flag("bucket_no_upscale", dataset, \.bucketNoUpscale),
    key("network_multiplier", dataset, \.networkMultiplier, "a finite number") { value in
      value.number.flatMap { $0.isFinite ? $0 : nil }
    },
    rate("validation_split", dataset, \.validationSplit),
    count("validation_seed", dataset, \.validationSeed, from: 0),
    key(
      "resize_interpolation", everywhere, \.resizeInterpolation,
      "one of \(Interpolation.allCases.map(\.rawValue).joined(separator: ", "))"
    ) { value in
      value.string.flatMap { Interpolation(name: $0) }
    },
    count("num_repeats", everywhere, \.numRepeats),
    flag("flip_aug", everywhere, \.flipAug),
    flag("color_aug", everywhere, \.colorAug),
    flag("random_crop", everywhere, \.randomCrop),
    flag("shuffle_caption", everywhere, \.shuffleCaption),
    count("keep_tokens", everywhere, \.keepTokens, from: 0),
    text("keep_tokens_separator", everywhere, \.keepTokensSeparator),
    text("secondary_separator", everywhere, \.secondarySeparator),
    key(
      "caption_separator", everywhere, \.captionSeparator, "a text that is not empty"
    ) { value in
      value.string.flatMap { $0.isEmpty ? nil : $0 }
    },
    flag("enable_wildcard", everywhere, \.enableWildcard),
    count("token_warmup_min", everywhere, \.tokenWarmupMin, from: 0),
    key(
      "token_warmup_step", everywhere, \.tokenWarmupStep,
      "a number of steps, or below 1 a share of them"
    ) { value in
      value.number.flatMap { $0 >= 0 ? $0 : nil }
    },
    text("caption_prefix", everywhere, \.captionPrefix),
    text("caption_suffix", everywhere, \.captionSuffix),
    key("custom_attributes", everywhere, \.customAttributes, "a table", \.table),
    rate("caption_dropout_rate", everywhere, \.captionDropoutRate),
    count("caption_dropout_every_n_epochs", everywhere, \.captionDropoutEveryNEpochs, from: 0),
    rate("caption_tag_dropout_rate", everywhere, \.captionTagDropoutRate),
    text("caption_extension", everywhere, \.captionExtension),
    text("class_tokens", everywhere, \.classTokens),
    // Sizes are read from the heads of files, which takes no longer than reading a cache of them.
    DatasetKey("cache_info", everywhere, "true or false") { value, _ in value.bool != nil },
    flag("alpha_mask", .subset, \.alphaMask),
    text("image_dir", .subset, \.imageDir),
    text("metadata_file", .subset, \.metadataFile),
    text("conditioning_data_dir", .subset, \.conditioningDataDir),
    flag("is_reg", .subset, \.isReg),
  ]

  /// Keys of sd-scripts and musubi-tuner that are known and not served, with what to do.
  static let refused: [String: String] = [
    "face_crop_aug_range": "cropping around faces is not supported; crop the images beforehand",
    "cache_directory": "caches lie beside the images, and only latents are kept there",
    "video_directory": "this model is trained on pictures, not on videos",
    "video_jsonl_file": "this model is trained on pictures, not on videos",
    "target_frames": "this model is trained on pictures, not on videos",
    "control_directory":
      "control images are not supported; masks for the loss are 'conditioning_data_dir' of a subset",
  ]

  /// Keys of musubi-tuner, which has no subsets, with the names they have here.
  static let aliases: [String: String] = [
    "image_directory": "image_dir", "image_jsonl_file": "metadata_file",
  ]
}
