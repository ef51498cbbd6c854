import Sampling

/// Keys of datasets whose items come encoded: those of musubi-tuner (dataset/config_utils.py, `ConfigSanitizer`), and
/// what is held out.
extension DatasetKey {
  /// All that such a dataset may have.
  static let prepared: [DatasetKey] =
    all.filter { shared.contains($0.name) } + own

  private static let shared: Set<String> = [
    "batch_size", "resolution", "enable_bucket", "bucket_no_upscale", "num_repeats",
    "caption_extension", "network_multiplier", "validation_split", "validation_seed",
  ]

  /// What sd-scripts does not know.
  static let own: [DatasetKey] = [
    text("image_directory", .dataset, \.prepared.imageDirectory),
    text("image_jsonl_file", .dataset, \.prepared.imageJsonlFile),
    text("video_directory", .dataset, \.prepared.videoDirectory),
    text("video_jsonl_file", .dataset, \.prepared.videoJsonlFile),
    text("cache_directory", .dataset, \.prepared.cacheDirectory),
    text("control_directory", .dataset, \.prepared.controlDirectory),
    key(
      "target_frames", .dataset, \.prepared.targetFrames, "a list of whole numbers, each 1 or more"
    ) { value in
      value.integers.flatMap { $0.isEmpty || $0.contains { $0 < 1 } ? nil : $0 }
    },
    key(
      "frame_extraction", .dataset, \.prepared.frameExtraction,
      "one of \(extractions.joined(separator: ", "))"
    ) { value in
      value.string.flatMap { extractions.contains($0) ? $0 : nil }
    },
    count("frame_stride", .dataset, \.prepared.frameStride),
    count("frame_sample", .dataset, \.prepared.frameSample),
    count("max_frames", .dataset, \.prepared.maxFrames),
    key("source_fps", .dataset, \.prepared.sourceFPS, "a number above 0") { value in
      value.number.flatMap { $0 > 0 && $0.isFinite ? $0 : nil }
    },
    // What counts where items are encoded, and nowhere after.
    DatasetKey("multiple_target", .dataset, "true or false") { value, _ in value.bool != nil },
    DatasetKey("no_resize_control", .dataset, "true or false") { value, _ in value.bool != nil },
    DatasetKey("control_resolution", .dataset, size) { value, _ in value.resolution != nil },
    DatasetKey("fp_latent_window_size", .dataset, "a whole number") { value, _ in
      value.integer != nil
    },
    DatasetKey("fp_1f_clean_indices", .dataset, "a list of whole numbers") { value, _ in
      value.integers != nil
    },
    DatasetKey("fp_1f_target_index", .dataset, "a whole number") { value, _ in
      value.integer != nil
    },
    DatasetKey("fp_1f_no_post", .dataset, "true or false") { value, _ in value.bool != nil },
    // Older names of 'no_resize_control' and 'control_resolution'.
    DatasetKey("flux_kontext_no_resize_control", .dataset, "true or false") { value, _ in
      value.bool != nil
    },
    DatasetKey("qwen_image_edit_no_resize_control", .dataset, "true or false") { value, _ in
      value.bool != nil
    },
    DatasetKey("qwen_image_edit_control_resolution", .dataset, size) { value, _ in
      value.resolution != nil
    },
  ]

  private static let size = "a whole number or [width, height]"
  private static let extractions = ["head", "chunk", "slide", "uniform", "full"]

  /// Whether a key stands for nothing in a configuration of pictures.
  static func isOfEncodedItems(_ name: String) -> Bool {
    own.contains { $0.name == name } && aliases[name] == nil
  }

  /// Why a key may not stand in a configuration though it is known.
  /// - Parameter isPrepared: whether items come encoded.
  static func refusal(of name: String, isPrepared: Bool) -> String? {
    guard isPrepared else {
      if let why = refused[name] { return why }
      let isOwn = isOfEncodedItems(name)
      return isOwn
        ? "it is for models whose latents and captions come encoded by musubi-tuner" : nil
    }
    guard name == "subsets" || all.contains(where: { $0.name == name }) || refused[name] != nil,
      !prepared.contains(where: { $0.name == name })
    else { return nil }
    return
      "latents and captions of this model come encoded by musubi-tuner, whose datasets have no such key; "
      + "leave it out"
  }
}

extension ConfigurationValue {
  /// A list of whole numbers.
  fileprivate var integers: [Int]? {
    guard let array else { return nil }
    let integers = array.compactMap(\.integer)
    return integers.count == array.count ? integers : nil
  }
}
