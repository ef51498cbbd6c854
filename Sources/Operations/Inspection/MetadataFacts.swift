import Safetensors

/// Which metadata entries belong together, and how their values are read.
enum MetadataFacts {
  /// What every reader wants to know, in this order; the entries of one line are put together.
  static let essentials: [(name: String, keys: [String])] = [
    ("title", ["modelspec.title"]),
    ("output name", ["ss_output_name"]),
    ("comment", ["ss_training_comment"]),
    ("trigger phrase", ["modelspec.trigger_phrase"]),
    ("base model", ["ss_sd_model_name", "ss_base_model_version"]),
    ("architecture", ["modelspec.architecture"]),
    ("network", ["ss_network_module"]),
    ("network dim", ["ss_network_dim"]),
    ("network alpha", ["ss_network_alpha"]),
    ("network args", ["ss_network_args"]),
    ("learning rate", ["ss_learning_rate"]),
    ("unet rate", ["ss_unet_lr"]),
    ("text enc. rate", ["ss_text_encoder_lr"]),
    ("scheduler", ["ss_lr_scheduler"]),
    ("optimizer", ["ss_optimizer"]),
    ("steps", ["ss_steps"]),
    ("max steps", ["ss_max_train_steps"]),
    ("epoch", ["ss_epoch"]),
    ("epochs", ["ss_num_epochs"]),
    ("batch size", ["ss_total_batch_size"]),
    ("images", ["ss_num_train_images", "ss_num_train_items"]),
    ("reg. images", ["ss_num_reg_images"]),
    ("resolution", ["ss_resolution"]),
    ("seed", ["ss_seed"]),
    ("started", ["ss_training_started_at"]),
    ("finished", ["ss_training_finished_at"]),
  ]

  /// Words in the names of the remaining `ss_` entries, and the group they put an entry in; the
  /// first that fits decides. Source: the entries that sd-scripts and musubi-tuner write.
  private static let topics: [(title: String, words: [String])] = [
    (
      "model",
      [
        "sd_model", "vae",  // metadata: a key
        "v2", "clip_skip", "max_token_length", "model_prediction", "model_type",
        "base_model", "dit", "text_encoder",
      ]
    ),
    (
      "data",
      [
        "bucket", "aug", "caption", "crop", "keep_tokens", "batch", "dataset", "image", "cache",
        "interpolation", "items", "resolution", "control",
      ]
    ),
    (
      "learning",
      [
        "lr", "warmup", "grad", "optimizer", "network", "scale_weight", "max_norm", "dropout",
      ]
    ),
    (
      "loss",
      [
        "noise", "snr", "loss", "huber", "timestep", "flow", "sigmoid", "weighting", "logit",
        "mode",
        "guidance", "gamma", "debiased", "mask",
      ]
    ),
    ("precision", ["fp8", "fp16", "bf16", "precision", "lowram"]),
  ]

  /// The entry's value for people, taken out of `rest`; nil if there is none that says anything.
  static func text(
    _ metadata: [String: String], _ key: String, _ rest: inout [String: String]
  ) -> String? {
    rest[key] = nil
    return text(metadata, key)
  }

  /// The entry's value for people; nil if there is none that says anything.
  static func text(_ metadata: [String: String], _ key: String) -> String? {
    guard let value = metadata[key], !isEmpty(value) else { return nil }
    if key.hasSuffix("_at"), let time = Double(value) {
      return UTCTime(secondsSince1970: time).text
    }
    return readable(value)
  }

  /// Every entry of `rest` in its group; empty groups are left out.
  static func groups(of rest: [String: String]) -> [TrainingSummary.Group] {
    var groups: [String: [TrainingSummary.Fact]] = [:]
    for (key, value) in rest.sorted(by: { $0.key < $1.key }) {
      let (title, name) = place(of: key)
      let shown =
        isEmpty(value) ? "-" : isDataURL(value) ? "(\(value.utf8.count) bytes)" : readable(value)
      groups[title, default: []].append(.init(name: name, value: shown))
    }
    let order = topics.map(\.title) + ["run", "modelspec", "hashes", "other metadata"]
    return order.compactMap { title in
      groups[title].map { TrainingSummary.Group(title: title, facts: $0) }
    }
  }

  private static func place(of key: String) -> (title: String, name: String) {
    if key.hasPrefix("modelspec.") { return ("modelspec", String(key.dropFirst(10))) }
    if key.hasPrefix("sshs_") { return ("hashes", key) }
    guard key.hasPrefix("ss_") else { return ("other metadata", key) }
    let name = String(key.dropFirst(3))
    let topic = topics.first { topic in topic.words.contains { name.contains($0) } }
    return (topic?.title ?? "run", name)
  }

  /// Python writes None for what was not given.
  private static func isEmpty(_ value: String) -> Bool {
    ["", "None", "null", "{}"].contains(value)
  }

  private static func isDataURL(_ value: String) -> Bool { value.hasPrefix("data:") }

  /// JSON objects and lists lose their brackets and quotes.
  private static func readable(_ value: String) -> String {
    guard value.hasPrefix("{") || value.hasPrefix("["), let json = JSONValue(parsing: value) else {
      return value
    }
    return json.text
  }
}
