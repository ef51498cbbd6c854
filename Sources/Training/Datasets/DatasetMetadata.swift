import Images
import Safetensors
import SystemPackage

extension TrainingSet {
  /// The `ss_*` entries of a saved adapter that tell of its images, as sd-scripts writes them
  /// (train_network.py): of a configuration file `ss_datasets`, else one entry for each flag. Of items that came
  /// encoded as musubi-tuner writes it.
  /// - Parameter accumulation: batches of a step
  package func metadata(accumulation: Int) -> [String: String] {
    if demands != nil { return preparedMetadata }
    let summary = self.summary
    return configuration.isFromFile
      ? metadataOfFile(summary) : metadataOfFlags(summary, accumulation)
  }

  private func metadataOfFile(_ summary: DatasetSummary) -> [String: String] {
    var (folders, tags): (Members, Members) = ([], [])
    var datasets: [JSONValue] = []
    for (index, dataset) in summary.datasets.enumerated() {
      let settings = configuration.datasets[index]
      datasets.append(.object(members(of: dataset, settings)))
      for subset in dataset.subsets {
        if !tags.contains(where: { $0.key == subset.name }) { tags.append(subset.tagEntry) }
        guard !subset.isRegularization else { continue }
        var name = subset.name
        var number = 2
        while folders.contains(where: { $0.key == name }) {
          name = "\(subset.name) (\(number))"
          number += 1
        }
        folders.append((name, subset.countEntry))
      }
    }
    return [
      "ss_datasets": JSONValue.array(datasets).pythonText,
      "ss_tag_frequency": JSONValue.object(tags).pythonText,
      "ss_dataset_dirs": JSONValue.object(folders).pythonText,
    ]
  }

  private func metadataOfFlags(
    _ summary: DatasetSummary, _ accumulation: Int
  ) -> [String: String] {
    guard let settings = configuration.datasets.first, let dataset = summary.datasets.first,
      let subset = settings.subsets.first
    else { return [:] }
    func python(_ flag: Bool) -> String { flag ? "True" : "False" }
    func folders(_ isRegularization: Bool) -> String {
      JSONValue.object(
        dataset.subsets.filter { $0.isRegularization == isRegularization }
          .map { ($0.name, $0.countEntry) }
      ).pythonText
    }
    let sides = settings.buckets.map(BucketRule.sides)
    return [
      "ss_batch_size_per_device": "\(settings.batchSize)",
      "ss_total_batch_size": "\(settings.batchSize * accumulation)",
      "ss_resolution": "(\(settings.resolution.width), \(settings.resolution.height))",
      "ss_color_aug": python(subset.variesColors),
      "ss_flip_aug": python(subset.flips),
      "ss_random_crop": python(subset.cropsAtRandom),
      "ss_shuffle_caption": python(subset.captions.shuffles),
      "ss_enable_bucket": python(settings.buckets != nil),
      "ss_bucket_no_upscale": python(settings.buckets?.neverEnlarges ?? false),
      "ss_min_bucket_reso": sides.map { "\($0.lowerBound)" } ?? "None",
      "ss_max_bucket_reso": sides.map { "\($0.upperBound)" } ?? "None",
      "ss_keep_tokens": "\(subset.captions.keptTags)",
      "ss_dataset_dirs": folders(false),
      "ss_reg_dataset_dirs": folders(true),
      "ss_tag_frequency": JSONValue.object(dataset.subsets.map(\.tagEntry)).pythonText,
      "ss_bucket_info": dataset.bucketEntry.pythonText,
    ]
  }

  private typealias Members = [(key: String, value: JSONValue)]

  private func members(
    of dataset: DatasetSummary.Dataset, _ settings: DatasetSettings
  ) -> Members {
    let sides = settings.buckets.map(BucketRule.sides)
    let isListed = settings.subsets.first?.metadataFile != nil
    return [
      ("is_dreambooth", .bool(!isListed)),
      ("batch_size_per_device", .integer(settings.batchSize)),
      ("num_train_images", .integer(dataset.trainingSamples)),
      ("num_reg_images", .integer(dataset.regularizationImages)),
      ("resolution", settings.resolution.entry),
      ("enable_bucket", .bool(settings.buckets != nil)),
      ("min_bucket_reso", .integer(sides?.lowerBound)),
      ("max_bucket_reso", .integer(sides?.upperBound)),
      ("tag_frequency", .object(dataset.subsets.map(\.tagEntry))),
      ("bucket_info", dataset.bucketEntry),
      ("resize_interpolation", .text(settings.interpolation?.rawValue)),
      (
        "subsets",
        .array(
          zip(settings.subsets, dataset.subsets).filter { $0.1.images > 0 }
            .map { .object(Self.members(of: $0, $1, isListed: isListed)) })
      ),
    ]
  }

  private static func members(
    of settings: SubsetSettings, _ subset: SubsetSummary, isListed: Bool
  ) -> Members {
    let captions = settings.captions
    var members: Members = [
      ("img_count", .integer(subset.images)),
      ("num_repeats", .integer(subset.repeats)),
      ("color_aug", .bool(settings.variesColors)),
      ("flip_aug", .bool(settings.flips)),
      ("random_crop", .bool(settings.cropsAtRandom)),
      ("shuffle_caption", .bool(captions.shuffles)),
      ("keep_tokens", .integer(captions.keptTags)),
      ("keep_tokens_separator", .text(captions.keptTagsSeparator)),
      ("secondary_separator", .text(captions.secondarySeparator)),
      ("enable_wildcard", .bool(captions.usesWildcards)),
      ("caption_prefix", .text(captions.prefix)),
      ("caption_suffix", .text(captions.suffix)),
      ("resize_interpolation", .text(settings.interpolation?.rawValue)),
    ]
    if let folder = settings.folder {
      members.append(("image_dir", .text(folder.lexicallyNormalized().lastComponent?.string)))
    }
    if isListed {
      members.append(("metadata_file", .string(subset.name)))
    } else {
      members.append(("class_tokens", .text(settings.classTokens)))
      members.append(("is_reg", .bool(settings.isRegularization)))
    }
    return members
  }
}

extension JSONValue {
  static func integer(_ value: Int?) -> JSONValue {
    value.map { .number("\($0)") } ?? .null
  }

  static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
}

extension Resolution {
  fileprivate var entry: JSONValue { .array([.integer(width), .integer(height)]) }
}

extension SubsetSummary {
  fileprivate var countEntry: JSONValue {
    .object([("n_repeats", .integer(repeats)), ("img_count", .integer(images))])
  }

  fileprivate var tagEntry: (key: String, value: JSONValue) {
    (name, .object(tags.map { ($0.tag, .integer($0.count)) }))
  }
}

extension DatasetSummary.Dataset {
  /// null where there are no buckets.
  fileprivate var bucketEntry: JSONValue {
    guard hasBuckets else { return .null }
    let entries: [(key: String, value: JSONValue)] = buckets.enumerated().map { number, bucket in
      (
        "\(number)",
        .object([("resolution", bucket.resolution.entry), ("count", .integer(bucket.count))])
      )
    }
    return .object([
      ("buckets", .object(entries)), ("mean_img_ar_error", .number("\(meanProportionError)")),
    ])
  }
}
