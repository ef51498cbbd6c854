import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

/// What the header of one file of a catalogue says, but for what it takes names to recognize.
struct CatalogueHeader: Sendable {
  /// Files that are alike in it are the same kind of adapter: those of one trainer for one model, of which a folder has
  /// hundreds.
  struct Likeness: Hashable, Sendable {
    let layout: TensorDigest.Layout
    let entries: [String]
    /// Where configurations say more than names and shapes, a file is like no other.
    let path: FilePath?
  }

  let item: CatalogueScan.Item
  let likeness: Likeness
  /// nil where the data cannot be looked at.
  let digest: TensorDigest?
  let storage: String
  let bytes: Int
  let tensors: Int
  let parameters: Int
  /// The one with the most bytes first.
  let dtypes: [String]
  let metadata: [String: String]

  /// - Complexity: O(n) for n tensors; no value is read.
  init(_ file: TensorFile, _ item: CatalogueScan.Item) {
    self.item = item
    var bytes: [String: Int] = [:]
    var parameters = 0
    for view in file.tensors.values {
      bytes[view.dtype.rawValue, default: 0] += view.byteCount
      parameters += view.shape.count
    }
    let layout = TensorDigest.Layout(file.tensors.values)
    let isConfigured =
      file.layout != .single || file.metadata[StatedConfiguration.key] != nil
      || item.path.lastComponent?.string.hasPrefix("adapter_model.") ?? false
    likeness = Likeness(
      layout: layout, entries: ModelFamily.tellingEntries(of: file.metadata),
      path: isConfigured ? item.path : nil)
    digest = TensorDigest(file, layout)
    storage = file.storage
    self.bytes = file.fileBytes
    tensors = file.tensors.count
    self.parameters = parameters
    dtypes = bytes.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
    metadata = file.metadata
  }
}

/// What names and shapes tell of a file.
struct CatalogueRecognition: Sendable {
  let kind: InspectedKind
  let isCache: Bool
  let family: String?
  let algorithms: [AdapterSummary.Algorithm]
  let ranks: [Int]
  /// What a configuration of PEFT's says of the model.
  let stated: [String: String]

  init(_ inspection: Inspection) {
    kind = inspection.kind
    isCache = inspection.cache != nil
    family = inspection.family?.name
    algorithms = inspection.adapter.map { AdapterSummary.Algorithm.list(of: $0) } ?? []
    ranks = Set(inspection.adapter?.modules.compactMap(\.rank) ?? []).sorted()
    let metadata = inspection.adapter?.familyMetadata ?? [:]
    stated = metadata.filter { [PEFTKey.baseModel, PEFTKey.modelClass].contains($0.key) }
  }
}

extension CatalogueEntry {
  /// Tags that a line of a table has room for.
  private static let tagCount = 8

  init(_ header: CatalogueHeader, _ recognized: CatalogueRecognition) {
    let metadata = header.metadata.merging(recognized.stated) { own, _ in own }
    func text(_ keys: String...) -> String? {
      keys.lazy.compactMap { MetadataFacts.text(metadata, $0) }.first
    }
    file = header.item.name
    kind = recognized.kind
    storage = header.storage
    family = recognized.family
    algorithms = recognized.algorithms
    ranks = recognized.ranks
    bytes = header.bytes
    tensors = header.tensors
    parameters = header.parameters
    dtypes = header.dtypes
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
    modified = header.item.path.modificationTime.map {
      UTCTime(secondsSince1970: Double($0 / 1_000_000_000)).text
    }
  }
}
