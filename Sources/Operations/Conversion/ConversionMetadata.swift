import Checkpoints
import FoundationEssentials
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage

/// The metadata of a converted adapter. No time and no path: equal inputs give equal bytes.
struct ConversionMetadata {
  let settings: AdapterConversionSettings
  /// nil where it is not known, or names fit several: what is written in a header is taken for true.
  let family: ModelFamily?
  /// What `provenance` says of the sources.
  let provenance: [String: String]

  /// Keys that every adapter of kohya's scripts has (sd-scripts `SS_METADATA_MINIMUM_KEYS`).
  static let minimumKeys = [
    "ss_v2", "ss_base_model_version", "ss_network_module", "ss_network_dim", "ss_network_alpha",
    "ss_network_args",
  ]
  /// Of several sources: kept where it is equal.
  private static let modelKeys = [
    "modelspec.architecture", "modelspec.implementation", "modelspec.resolution",
    "modelspec.prediction_type",
  ]
  /// True of one file alone, or of keys in another spelling.
  private static let staleKeys = [
    "sshs_model_hash", "sshs_legacy_hash", "modelspec.hash_sha256", "lora_adapter_metadata",
  ]

  /// nil for a file without any.
  /// - Parameters:
  ///   - sources: the adapters it was made from
  ///   - modules: as they are written
  func metadata(of sources: [WeightedAdapter], _ modules: [AdapterModule]) -> [String: String]? {
    let network = NetworkDescription(of: modules)
    var metadata: [String: String]
    switch settings.metadata {
    case .none:
      let added = [:].setting(settings.addedMetadata)
      return added.isEmpty ? nil : added
    case .keep where sources.count == 1: metadata = corrected(sources[0].file, network)
    case .keep: metadata = combined(sources, network)
    case .minimal:
      metadata = minimal(sources, network)
      metadata.merge(provenance) { $1 }
    }
    return metadata.setting(settings.addedMetadata)
  }

  /// The source's own, with what has changed set right.
  private func corrected(
    _ source: AdapterFile, _ network: NetworkDescription
  ) -> [String: String] {
    var metadata = source.file.metadata
    for key in Self.staleKeys { metadata[key] = nil }
    let before = NetworkDescription(of: source.modules)
    guard before != network, metadata.keys.contains(where: { $0.hasPrefix("ss_") }) else {
      return metadata
    }
    metadata["ss_network_dim"] = network.dimension
    metadata["ss_network_alpha"] = network.alpha
    if before.module != network.module || before.arguments != network.arguments {
      metadata["ss_network_module"] = network.module
      metadata["ss_network_args"] = network.arguments
    } else if before.dimension != network.dimension {
      // As sd-scripts' `resize_lora.py` has it.
      let old = source.file.metadata["ss_network_dim"] ?? before.dimension
      let comment = source.file.metadata["ss_training_comment"] ?? ""
      metadata["ss_training_comment"] =
        "dimension is resized from \(old) to \(network.dimension); \(comment)"
    }
    return metadata
  }

  /// What is true of all sources, and what the result was made of.
  private func combined(
    _ sources: [WeightedAdapter], _ network: NetworkDescription
  ) -> [String: String] {
    var metadata = Self.common(Self.minimumKeys + Self.modelKeys, of: sources)
    if metadata["modelspec.architecture"] != nil {
      metadata["modelspec.sai_model_spec"] = "1.0.1"
      metadata["modelspec.title"] = Self.titles(of: sources)
    }
    metadata.merge(Self.entries(of: network, sources)) { $1 }
    return metadata.merging(provenance) { $1 }
  }

  /// What loaders need: kohya's minimum and what modelspec requires, filled in where the sources do
  /// not say.
  private func minimal(
    _ sources: [WeightedAdapter], _ network: NetworkDescription
  ) -> [String: String] {
    var metadata = ["modelspec.sai_model_spec": "1.0.1", "ss_v2": "False"]
    metadata["modelspec.title"] = Self.titles(of: sources)
    if let facts = family.flatMap({ FamilyMetadata(of: $0) }) {
      if facts.isV2 { metadata["ss_v2"] = "True" }
      metadata["ss_base_model_version"] = facts.baseModelVersion
      metadata["modelspec.architecture"] = facts.architecture + "/lora"
      metadata["modelspec.implementation"] = facts.implementation
      metadata["modelspec.resolution"] = facts.resolution
    }
    metadata.merge(Self.entries(of: network, sources)) { $1 }
    let known = Self.common(Self.minimumKeys + Self.modelKeys.prefix(3), of: sources)
    if sources.count == 1, NetworkDescription(of: sources[0].file.modules) == network {
      return metadata.merging(known) { $1 }
    }
    return metadata.merging(known.filter { !$0.key.hasPrefix("ss_network_") }) { $1 }
  }

  private static func entries(
    of network: NetworkDescription, _ sources: [WeightedAdapter]
  ) -> [String: String] {
    // `networks.lora_flux` where that is what all were trained with.
    let module = common(["ss_network_module"], of: sources)["ss_network_module"]
    let isKnown = module?.hasPrefix(network.module) ?? false
    return [
      "ss_network_module": isKnown ? module ?? "" : network.module,
      "ss_network_dim": network.dimension, "ss_network_alpha": network.alpha,
      "ss_network_args": network.arguments,
    ]
  }

  /// Entries that all sources have, and alike.
  private static func common(
    _ keys: [String], of sources: [WeightedAdapter]
  ) -> [String: String] {
    var entries: [String: String] = [:]
    for key in keys {
      let values = Set(sources.map { $0.file.file.metadata[key] })
      if values.count == 1, let value = values.first { entries[key] = value }
    }
    return entries
  }

  /// `modelspec.merged_from`, and for each source what it was and how strongly it took part, under the
  /// key that sd-webui-supermerger writes; nothing of a single one, or where no metadata are wanted.
  /// - Complexity: O(bytes of the sources), which are hashed.
  static func provenance(
    of sources: [WeightedAdapter], _ settings: AdapterConversionSettings
  ) -> [String: String] {
    guard sources.count > 1, settings.metadata != .none else { return [:] }
    var entries = [
      "modelspec.merged_from": sources.map { title(of: $0.file) }.joined(separator: ", ")
    ]
    for (index, source) in sources.enumerated() {
      let file = source.file.file
      var entry = [
        "ss_output_name": title(of: source.file), "sshs_ratio": "\(source.denoiserRatio)",
        "sshs_model_hash": ModelHash(of: file.tensors.values, metadata: [:]).model,
      ]
      if source.textEncoderRatio != source.denoiserRatio {
        entry["sshs_te_ratio"] = "\(source.textEncoderRatio)"
      }
      for key in ["ss_network_module", "ss_network_dim", "ss_network_alpha", "ss_sd_model_name"] {
        entry[key] = file.metadata[key]
      }
      entries["sshs_cp\(index)"] = json(entry)
    }
    return entries
  }

  private static func titles(of sources: [WeightedAdapter]) -> String {
    sources.map { title(of: $0.file) }.joined(separator: " + ")
  }

  private static func title(of source: AdapterFile) -> String {
    source.file.metadata["modelspec.title"] ?? source.file.metadata["ss_output_name"]
      ?? source.file.path.stem ?? "adapter"
  }

  private static func json(_ entries: [String: String]) -> String? {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(entries)).map { String(decoding: $0, as: UTF8.self) }
  }
}
