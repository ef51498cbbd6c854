import ModelFamilies
import Safetensors
import SystemPackage

/// What a saved adapter tells of items that came encoded, as musubi-tuner writes it (dataset/image_video_dataset.py,
/// `get_metadata`).
extension TrainingSet {
  /// `ss_*`: `datasets` and how many items an epoch has.
  var preparedMetadata: [String: String] {
    let datasets = configuration.datasets.enumerated().map { index, settings in
      JSONValue.object(members(of: settings, at: index))
    }
    return [
      "ss_datasets": JSONValue.array(datasets).pythonText,
      "ss_num_train_items": "\(summary.trainingSamples)",
    ]
  }

  private func members(
    of settings: DatasetSettings, at index: Int
  ) -> [(key: String, value: JSONValue)] {
    guard let prepared = settings.prepared else { return [] }
    let values = prepared.values
    let resolution = settings.resolution
    var members: [(key: String, value: JSONValue)] = [
      ("resolution", .array([.integer(resolution.width), .integer(resolution.height)])),
      ("caption_extension", .text(prepared.captionExtension)),
      ("batch_size_per_device", .integer(settings.batchSize)),
      ("num_repeats", .integer(settings.subsets.first?.repeats)),
      ("enable_bucket", .bool(settings.buckets != nil)),
      ("bucket_no_upscale", .bool(settings.buckets?.neverEnlarges ?? false)),
    ]
    for (key, text) in [
      ("image_directory", values.imageDirectory), ("image_jsonl_file", values.imageJsonlFile),
      ("video_directory", values.videoDirectory), ("video_jsonl_file", values.videoJsonlFile),
      ("control_directory", values.controlDirectory),
    ] {
      // As Python's `os.path.basename`: nothing behind a slash at the end.
      guard let text else { continue }
      members.append(
        (
          key,
          .string(
            text.split(separator: "/", omittingEmptySubsequences: false).last.map(String.init) ?? ""
          )
        ))
    }
    if prepared.isVideo { members += frames(of: values) }
    let hasControl =
      values.controlDirectory != nil
      || (examples + validation).contains { example in
        example.dataset == index
          && example.prepared?.arrays.contains { $0.hasPrefix("latents_control") } ?? false
      }
    members.append(("has_control", .bool(hasControl)))
    return members
  }

  /// With musubi-tuner's defaults, and what it makes of values that it rounds.
  private func frames(of values: PreparedValues) -> [(key: String, value: JSONValue)] {
    let sample = values.frameSample ?? 1
    let extraction = values.frameExtraction ?? "head"
    let latents = demands?.latents
    let targets = Set(
      (values.targetFrames ?? [1]).map { frames in latents?.wholeFrames(of: frames) ?? frames }
    ).sorted()
    return [
      ("frame_extraction", .string(extraction == "uniform" && sample == 1 ? "head" : extraction)),
      ("frame_stride", .integer(values.frameStride ?? 1)), ("frame_sample", .integer(sample)),
      ("target_frames", .array(targets.map { .integer($0) })),
      ("max_frames", .integer(values.maxFrames ?? 129)),
      ("source_fps", values.sourceFPS.map { .number("\($0)") } ?? .null),
    ]
  }
}
