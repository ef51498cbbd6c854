import Adapters
import Checkpoints
package import ModelFamilies
import OrderedCollections
package import Safetensors
package import SystemPackage
import Tensors

/// A file under inspection: opened, and recognized from names and shapes.
package struct Inspection: Sendable {
  /// What the file holds, taken apart.
  private enum Subject: Sendable {
    /// The base is there for weights that are stored as codes, unless their scales make no sense: then the
    /// checkpoint is described as if it had none.
    case model(ModelLayout, BaseModel?)
    case adapter(InspectedAdapter)
    case cache(CacheSummary)
    case embedding
  }

  package let file: TensorFile
  package let kind: InspectedKind
  /// Whether values can be asked for: not where only headers were read of what has to be unpacked.
  package var hasValues: Bool { file.tensors.values.allSatisfy(\.hasData) }
  let kindEvidence: String
  let family: InspectionReport.Family?
  let notes: [String]
  private let subject: Subject

  var layout: ModelLayout? { if case .model(let layout, _) = subject { layout } else { nil } }
  var base: BaseModel? { if case .model(_, let base) = subject { base } else { nil } }
  var adapter: InspectedAdapter? { if case .adapter(let found) = subject { found } else { nil } }
  var cache: CacheSummary? { if case .cache(let found) = subject { found } else { nil } }

  /// - Parameters:
  ///   - family: what the file is to be read as; recognized if nil.
  ///   - contents: `.everything` if values will be asked for.
  /// - Throws: `SafetensorsError` from opening, `ModelFamilyError` if a checkpoint is not of the
  ///   family.
  package init(
    opening path: FilePath, as family: ModelFamily? = nil,
    reading contents: TensorFile.Contents = .everything
  ) throws {
    var file = try TensorFile(opening: path, reading: contents)
    // The alphas of an adapter are values; it is small enough to be unpacked or gathered for them.
    if contents == .headers, !file.tensors.values.allSatisfy(\.hasData),
      try InspectedAdapter(file) != nil
    {
      file = try TensorFile(opening: path)
    }
    try self.init(file, as: family)
  }

  package init(_ file: TensorFile, as family: ModelFamily? = nil) throws {
    let adapter = try InspectedAdapter(file)
    if let cache = CacheSummary.recognize(file) {
      self.init(
        file, cache.kind, "every tensor is named as musubi-tuner names cached arrays", nil,
        .cache(cache.summary))
    } else if let evidence = Self.embeddingEvidence(file) {
      self.init(file, .embedding, evidence, nil, .embedding)
    } else if let adapter, 2 * adapter.tensorCount >= file.tensors.count {
      let found = Self.family(of: adapter, as: family)
      self.init(
        file, .adapter,
        "\(adapter.tensorCount) of \(file.tensors.count) tensors have suffixes of an adapter",
        found.family, .adapter(adapter), adapter.notices + found.notes)
    } else {
      try self.init(model: file, as: family, besides: adapter)
    }
  }

  /// A file without a layer is of unknown kind.
  private init(
    model file: TensorFile, as family: ModelFamily?, besides adapter: InspectedAdapter?
  ) throws {
    var notes: [String] = []
    // What codes mean is what a base knows beyond its layout.
    var base: BaseModel?
    if file.tensors.values.contains(where: { !$0.dtype.isFloatingPoint || $0.dtype.isFloat8 }) {
      do {
        let found = try BaseModel(file, as: family)
        if !found.quantized.keys.isEmpty || !found.quantized.weights.isEmpty { base = found }
      } catch let error as CheckpointError {
        notes.append("\(error)")
      }
    }
    let layout =
      try base?.layout
      ?? ModelLayout(of: file.tensors.map { (key: $0.key, shape: $0.value.shape) }, as: family)
    if let adapter,
      let name = adapter.modules.first?.name ?? adapter.refused.values.first?.keys.sorted().first
    {
      notes.append("\(adapter.tensorCount) tensors have suffixes of an adapter, first of '\(name)'")
    }
    let subject = Subject.model(layout, base)
    guard !layout.modules.isEmpty else {
      self.init(
        file, .unknown, "no layer of a model, no suffix of an adapter", nil, subject, notes)
      return
    }
    self.init(
      file, .checkpoint,
      "\(layout.modules.count) \(layout.modules.count == 1 ? "layer" : "layers") of a model",
      .init(name: layout.family.name, title: layout.family.title, evidence: layout.evidence),
      subject, notes)
  }

  private init(
    _ file: TensorFile, _ kind: InspectedKind, _ kindEvidence: String,
    _ family: InspectionReport.Family?, _ subject: Subject, _ notes: [String] = []
  ) {
    self.file = file
    self.kind = kind
    self.kindEvidence = kindEvidence
    self.family = family
    self.subject = subject
    self.notes = notes
  }

  private static func family(
    of adapter: InspectedAdapter, as given: ModelFamily?
  ) -> (family: InspectionReport.Family, notes: [String]) {
    if let given {
      let evidence = ["family '\(given.name)' was asked for"]
      return (.init(name: given.name, title: given.title, evidence: evidence), [])
    }
    let found = ModelFamily.recognize(
      adapterModules: adapter.modules.map(\.named)
        + adapter.refused.values.flatMap { $0.keys.map { NamedModule($0) } },
      metadata: adapter.familyMetadata)
    let family = found.family ?? .generic
    return (
      .init(name: family.name, title: family.title, evidence: found.evidence),
      found.ambiguity.map { [$0] } ?? []
    )
  }

  /// Why the file holds the vectors of one textual inversion; nil if it does not.
  private static func embeddingEvidence(_ file: TensorFile) -> String? {
    let names: Set<String> = ["emb_params", "clip_l", "clip_g", "t5xxl"]
    guard !file.tensors.isEmpty, file.tensors.count <= 4 else { return nil }
    for (key, view) in file.tensors {
      let isNamed =
        names.contains(key) || key.hasPrefix("string_to_param")
        || key.hasPrefix("<") && key.hasSuffix(">")
      guard isNamed, (1...2).contains(view.shape.dimensions.count) else { return nil }
    }
    return "tensor '\(file.tensors.keys[0])' is named as vectors of a token are"
  }
}

extension InspectedModule {
  /// Its name and the extents of the weight that its factors show.
  var named: NamedModule { NamedModule(name, algorithm, shapes) }
}
