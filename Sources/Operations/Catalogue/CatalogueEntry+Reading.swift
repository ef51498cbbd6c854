import Adapters
import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

extension CatalogueEntry {
  /// Tags that a line of a table has room for.
  private static let tagCount = 8

  /// - Complexity: that of recognizing names and shapes; no value is read.
  init(_ inspection: Inspection, named name: String) {
    let file = inspection.file
    let metadata = inspection.adapter?.familyMetadata ?? file.metadata
    var bytes: [String: Int] = [:]
    var parameters = 0
    for view in file.tensors.values {
      bytes[view.dtype.rawValue, default: 0] += view.byteCount
      parameters += view.shape.count
    }
    func text(_ keys: String...) -> String? {
      keys.lazy.compactMap { MetadataFacts.text(metadata, $0) }.first
    }
    self.file = name
    kind = inspection.kind
    storage = inspection.storage
    family = inspection.family?.name
    algorithms = inspection.adapter.map { AdapterSummary.Algorithm.list(of: $0) } ?? []
    ranks = Set(inspection.adapter?.modules.compactMap(\.rank) ?? []).sorted()
    self.bytes = inspection.fileBytes
    tensors = file.tensors.count
    self.parameters = parameters
    dtypes = bytes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
    title = text("modelspec.title", "ss_output_name")
    triggerPhrase = text("modelspec.trigger_phrase")
    baseModel = text("ss_sd_model_name", PEFTKey.baseModel, "ss_base_model_version")
    baseHash = text("ss_new_sd_model_hash", "ss_sd_model_hash")
    let counted = TrainingSummary.Tag.all(of: metadata).prefix(Self.tagCount).map(\.name)
    tags =
      counted.isEmpty
      ? (metadata["modelspec.tags"] ?? "").split(separator: ",").prefix(Self.tagCount).map {
        $0.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      } : counted
    date = text("ss_training_finished_at", "ss_training_started_at", "modelspec.date")
    modelHash = text("sshs_model_hash")
    modified = file.path.modificationTime.map {
      UTCTime(secondsSince1970: Double($0 / 1_000_000_000)).text
    }
  }
}
