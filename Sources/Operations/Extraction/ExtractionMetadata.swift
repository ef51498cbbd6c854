import Adapters
import Checkpoints
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors

/// What an extracted adapter says about itself.
package struct ExtractionMetadata: Sendable {
  /// Whether to write metadata at all.
  package let isWritten: Bool
  /// `ss_output_name` and `modelspec.title`.
  package let name: String

  /// Entries that are set, or removed where they are empty, whatever else is written.
  package let added: [String: String]

  package init(isWritten: Bool, name: String, added: [String: String] = [:]) {
    self.isWritten = isWritten
    self.name = name
    self.added = added
  }

  /// kohya's minimum set and the modelspec fields that loaders show. Contains no time and no path,
  /// so that the same inputs give the same bytes.
  func metadata(of plan: ExtractionPlan, _ results: [Factorization]) -> [String: String]? {
    guard isWritten else { return added.isEmpty ? nil : [:].setting(added) }
    let network = NetworkDescription(of: results)
    let facts = FamilyMetadata(of: plan.base.layout.family)
    var metadata = [
      "ss_network_module": network.module,
      "ss_network_dim": network.dimension, "ss_network_alpha": network.alpha,
      "ss_network_args": network.arguments,
      "ss_v2": facts?.isV2 == true ? "True" : "False", "ss_output_name": name,
      "ss_sd_model_name": plan.base.file.path.lastComponent?.string ?? "",
      "ss_training_comment": "extracted from the difference of "
        + "\(plan.tuned.file.path.lastComponent?.string ?? "") and "
        + "\(plan.base.file.path.lastComponent?.string ?? "")",
      "modelspec.sai_model_spec": "1.0.1", "modelspec.title": name,
    ]
    if let facts {
      metadata["ss_base_model_version"] = facts.baseModelVersion
      metadata["modelspec.architecture"] = facts.architecture + "/lora"
      metadata["modelspec.implementation"] = facts.implementation
      metadata["modelspec.resolution"] = facts.resolution
    }
    return metadata.setting(added)
  }

  /// An upper bound of what header length, metadata and hashes take in the file.
  func byteBound(of plan: ExtractionPlan) -> Int {
    let hashes = 120
    // Padding, and what a rank "Dynamic" and the arguments of LyCORIS are longer than none.
    let variation = 64
    let metadata = metadata(of: plan, []) ?? [:]
    return HeaderEncoding([TensorInfo](), metadata: metadata).bytes.count + hashes + variation
  }
}
