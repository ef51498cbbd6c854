import Checkpoints
import ModelFamilies
import Safetensors
import SystemPackage

extension CheckpointConversionPlan {
  /// What the checkpoint says about itself. No time and no path: equal inputs give equal bytes.
  package func metadata(_ settings: CheckpointConversionSettings) -> [String: String] {
    let source = sources[0].file.metadata
    var metadata: [String: String] = [:]
    switch settings.metadata {
    case .none: return metadata.setting(settings.addedMetadata)
    case .keep:
      metadata = source
      // Of a file that no longer is.
      for key in ["modelspec.hash_sha256", "sshs_model_hash", "sshs_legacy_hash"] {
        metadata[key] = nil
      }
      QuantizationDescriptions.correct(&metadata, keeping: keptCodes.contains)
    case .minimal:
      // transformers opens no file without it.
      metadata["format"] = source["format"]
      metadata["modelspec.sai_model_spec"] = "1.0.1"
      metadata["modelspec.title"] = title(of: sources[0])
      let facts = FamilyMetadata(of: sources[0].layout.family)
      metadata["modelspec.architecture"] =
        source["modelspec.architecture"] ?? facts?.architecture
      metadata["modelspec.implementation"] =
        source["modelspec.implementation"] ?? facts?.implementation
      metadata["modelspec.resolution"] = source["modelspec.resolution"] ?? facts?.resolution
      metadata["modelspec.merged_from"] = source["modelspec.merged_from"]
    }
    if sources.count > 1 {
      metadata["modelspec.merged_from"] = sources.map(title).joined(separator: ", ")
    }
    return metadata.setting(settings.addedMetadata)
  }

  private func title(of source: BaseModel) -> String {
    source.file.metadata["modelspec.title"] ?? source.file.path.stem ?? "model"
  }
}

extension [String: String] {
  /// With entries as the user wants them: an empty value removes one.
  package func setting(_ entries: [String: String]) -> [String: String] {
    merging(entries) { $1 }.filter { !$1.isEmpty || entries[$0] == nil }
  }
}
