import Safetensors

/// What the metadata of a file say about how it was made, in a form for people.
package struct TrainingSummary: Codable, Sendable {
  /// One thing and what the file says about it.
  package struct Fact: Codable, Equatable, Sendable {
    package let name: String
    package let value: String
  }

  package struct Group: Codable, Sendable {
    package let title: String
    package let facts: [Fact]
  }

  /// A folder or list of images or videos.
  package struct Dataset: Codable, Equatable, Sendable {
    package let name: String
    package let images: Int?
    package let repeats: Int?
    package let isRegularization: Bool
    /// Resolution, batch size, class tokens.
    package let details: String
  }

  package struct Tag: Codable, Equatable, Sendable {
    package let name: String
    package let count: Int
  }

  /// The essentials, in a fixed order.
  package let facts: [Fact]
  package let datasets: [Dataset]
  /// All tags, the most frequent first.
  package let tags: [Tag]
  /// Everything else, every entry once; names without the group's prefix.
  package let groups: [Group]
}

extension TrainingSummary {
  /// nil if there is no metadata.
  init?(of metadata: [String: String]) {
    guard !metadata.isEmpty else { return nil }
    var rest = metadata
    rest["ss_datasets"] = nil
    rest["ss_dataset_dirs"] = nil
    rest["ss_reg_dataset_dirs"] = nil
    rest["ss_tag_frequency"] = nil
    facts = MetadataFacts.essentials.compactMap { name, keys in
      let values = keys.compactMap { key in MetadataFacts.text(metadata, key, &rest) }
      return values.isEmpty ? nil : Fact(name: name, value: values.joined(separator: ", "))
    }
    datasets = Dataset.all(of: metadata)
    tags = Tag.all(of: metadata)
    groups = MetadataFacts.groups(of: rest)
  }
}

extension TrainingSummary.Dataset {
  private static let names = [
    "image_dir", "image_directory", "video_directory", "image_jsonl_file", "video_jsonl_file",
    "metadata_file",
  ]
  private static let counts = ["img_count", "image_count", "num_train_images", "num_train_items"]

  /// From `ss_datasets` if there, which tells more than `ss_dataset_dirs`.
  static func all(of metadata: [String: String]) -> [TrainingSummary.Dataset] {
    if let text = metadata["ss_datasets"], let list = JSONValue(parsing: text) {
      return list.elements.flatMap { dataset in
        let subsets = dataset["subsets"]?.elements ?? []
        return subsets.isEmpty
          ? [TrainingSummary.Dataset(dataset, in: dataset)]
          : subsets.map { TrainingSummary.Dataset($0, in: dataset) }
      }
    }
    return [("ss_dataset_dirs", false), ("ss_reg_dataset_dirs", true)].flatMap { key, isRegular in
      (metadata[key].flatMap(JSONValue.init(parsing:))?.members ?? []).map { name, value in
        TrainingSummary.Dataset(
          name: name, images: value["img_count"]?.integer, repeats: value["n_repeats"]?.integer,
          isRegularization: isRegular, details: "")
      }
    }
  }

  private init(_ subset: JSONValue, in dataset: JSONValue) {
    name = Self.names.lazy.compactMap { subset[$0]?.text }.first ?? "(unnamed)"
    images = Self.counts.lazy.compactMap { subset[$0]?.integer }.first
    repeats = subset["num_repeats"]?.integer
    if case .bool(true) = subset["is_reg"] {
      isRegularization = true
    } else {
      isRegularization = false
    }
    var details: [String] = []
    if let size = dataset["resolution"] {
      details.append(
        size.elements.isEmpty ? size.text : size.elements.map(\.text).joined(separator: "x"))
    }
    for (key, label) in [("batch_size_per_device", "batch"), ("batch_size_per_gpu", "batch")] {
      if let batch = dataset[key]?.integer { details.append("\(label) \(batch)") }
    }
    if let tokens = subset["class_tokens"]?.text, !tokens.isEmpty { details.append("'\(tokens)'") }
    self.details = details.joined(separator: ", ")
  }
}

extension TrainingSummary.Tag {
  /// Over all folders together.
  static func all(of metadata: [String: String]) -> [TrainingSummary.Tag] {
    guard let text = metadata["ss_tag_frequency"], let folders = JSONValue(parsing: text) else {
      return []
    }
    var counts: [String: Int] = [:]
    for (_, tags) in folders.members {
      for (tag, count) in tags.members {
        let words = tag.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        // Anybody can write any number into a file.
        let (sum, overflow) = counts[words, default: 0]
          .addingReportingOverflow(count.integer ?? 0)
        counts[words] = overflow ? .max : sum
      }
    }
    return counts.map { TrainingSummary.Tag(name: $0.key, count: $0.value) }
      .sorted { ($1.count, $0.name) < ($0.count, $1.name) }
  }
}
