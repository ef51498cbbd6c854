import Adapters
import OrderedCollections
public import Safetensors
public import SystemPackage
import Tensors

/// An adapter file with its keys grouped into modules.
///
/// Read are the spellings of kohya's scripts, LyCORIS, PEFT, diffusers, ComfyUI, musubi-tuner, OneTrainer,
/// ai-toolkit and HCP-Diffusion, with the alphas that PEFT and diffusers keep beside the tensors. What can be
/// recognized and not applied is refused, with the reason: a wrong strength is never guessed.
/// ```swift
/// let adapter = try AdapterFile(opening: "adapter.safetensors")
/// for module in adapter.modules { print(module.name, module.algorithmName) }
/// ```
public struct AdapterFile: Sendable {
  /// The file itself.
  public let file: TensorFile
  /// In the order in which their first tensors stand in the file.
  public let modules: [AdapterModule]
  /// Keys without a suffix of any algorithm: embeddings of a bundle, or an algorithm that is not
  /// known. What they hold is not applied.
  public let unrecognized: [String]
  /// What was read otherwise than it is written, a sentence each.
  public let notices: [String]
  /// Its metadata, with what its PEFT configuration says of the model, for `ModelFamily.recognize`.
  package let familyMetadata: [String: String]

  /// What is done about factors whose product was not zero before training.
  package enum Beginnings {
    /// They are an error: their product is not the change of the weight.
    case refused
    /// They are as they are: for bases from which the first product was taken out, and where no number counts.
    case kept
    /// The product that they had in that adapter is subtracted.
    case subtracted(AdapterFile)
  }

  /// Opens an adapter: a file of any kind that `TensorFile` opens, or the folder that PEFT's
  /// `save_pretrained` writes.
  /// - Throws: `SafetensorsError` from opening; an error whose description is one line, with file and module,
  ///   if it is no adapter, if tensors of a module do not go together, or if it cannot be applied to a base
  ///   as it is.
  /// - Complexity: O(n) in the number of tensors; their numbers are read when a module is applied.
  public init(opening path: FilePath) throws { try self.init(opening: path, .refused) }

  /// - Throws: `SafetensorsError` from opening, `CheckpointError` from grouping.
  package init(opening path: FilePath, _ beginnings: Beginnings) throws {
    try self.init(TensorFile(opening: path), beginnings)
  }

  /// - Throws: `CheckpointError.notAnAdapter` if no key has a known suffix, and whatever is wrong
  ///   with a module: `.duplicateFactor`, `.mixedAlgorithms`, `.unknownFactor`, `.alpha`; of its PEFT
  ///   configuration `.configuration`, `.configurationValue`; `.refused` for a format that cannot be applied;
  ///   `.beginning`, `.initialModule` for factors whose product was not zero before training.
  package init(
    _ file: TensorFile, _ beginnings: Beginnings = .refused
  ) throws(CheckpointError) {
    var groups = OrderedDictionary<String, [String: TensorView]>()
    var unrecognized: [String] = []
    var refused: [String: RefusedFormat] = [:]
    for (key, view) in file.tensors {
      guard let (module, suffix) = Self.table.split(key) else {
        unrecognized.append(key)
        if let (format, module) = RefusedFormat.recognize(key) { refused[module] = format }
        continue
      }
      if let other = groups[module]?[suffix], !other.hasSameContents(as: view) {
        throw .duplicateFactor(file.path, module: module, suffix: suffix, keys: [other.name, key])
      }
      groups[module, default: [:]][suffix] = view
    }
    Self.join(&groups)
    ProcessorNames.cutAttention(&groups)
    let isAdapter = groups.values.contains { !Self.allMarkers.isDisjoint(with: $0.keys) }
    unrecognized.removeAll { key in
      guard
        let (module, suffix) = SuffixTable.split(
          key, beside: { groups[$0]?.keys.map { $0 } ?? [] })
          ?? (isAdapter ? SuffixTable.splitNorm(key) : nil)
      else { return false }
      // A norm that is set has no other tensor.
      groups[module, default: [:]][suffix] = file.tensors[key]
      return true
    }
    Self.extend(&groups, file.path)
    let refusal = refused.min { $0.key < $1.key }.map {
      CheckpointError.refused(file.path, $0.value, modules: refused.count)
    }
    // Their configurations mean other things by the same keys, as AdaLoRA's `rank_pattern` of masks.
    if let refusal, groups.keys.allSatisfy({ refused[$0] != nil }) { throw refusal }
    let stated = try StatedConfiguration(of: file)
    var modules: [AdapterModule] = []
    for (name, views) in groups {
      // Factors beside tensors of a format that is refused belong to it.
      if refused[name] == nil, let module = try Self.module(name, views, stated, file.path) {
        modules.append(module)
      } else {
        unrecognized += views.values.map(\.name).sorted()
      }
    }
    guard !modules.isEmpty else {
      throw refusal ?? .notAnAdapter(file.path, keys: Array(file.tensors.keys.prefix(3)))
    }
    self.file = file
    self.modules = try Self.changes(of: modules, beginnings, stated, in: file.path)
    self.unrecognized = unrecognized
    notices = stated.notices
    familyMetadata = stated.metadata(of: file)
  }

  /// Gives what belongs to a module, and stands apart because its name has dots where that of the factors
  /// has underscores, to the factors.
  private static func join(_ groups: inout OrderedDictionary<String, [String: TensorView]>) {
    for (name, views) in groups
    where name.contains(".") && allMarkers.isDisjoint(with: views.keys) {
      let flat = String(name.map { $0 == "." ? "_" : $0 })
      guard let factors = groups[flat], Set(factors.keys).isDisjoint(with: views.keys) else {
        continue
      }
      groups[flat] = factors.merging(views) { own, _ in own }
      groups[name] = nil
    }
  }

  /// Gives the first layer of Black Forest Labs' control adapters the shape to which it extends the weight:
  /// of these files, and of diffusers' form of them, it is that of the factors.
  ///
  /// Source: ComfyUI `lora_convert.py`, `convert_lora_bfl_control`.
  private static func extend(
    _ groups: inout OrderedDictionary<String, [String: TensorView]>, _ path: FilePath
  ) {
    for (layer, norm) in controlLayers {
      guard groups[norm]?[Replacement.weight] != nil, groups[layer]?[reshapeSuffix.name] == nil,
        let up = groups[layer]?[LoRA.up], let down = groups[layer]?[LoRA.down]
      else { continue }
      let extents = [up.shape.rows, down.shape.columns]
      let bytes = extents.flatMap { extent in (0..<8).map { UInt8(extent >> (8 * $0) & 0xFF) } }
      groups[layer]?[reshapeSuffix.name] = TensorView(
        "\(layer).\(reshapeSuffix.name)", EncodedTensor(.i64, [2], bytes), from: path)
    }
  }

  private static let controlLayers = [
    (layer: "img_in", norm: "single_blocks.0.norm.key_norm"),
    (layer: "transformer.x_embedder", norm: "transformer.single_transformer_blocks.0.attn.norm_k"),
  ]

  /// Whether any key carries a suffix that identifies an algorithm.
  package static func looksLikeAdapter(_ keys: some Sequence<String>) -> Bool {
    keys.contains { key in table.split(key).map { allMarkers.contains($0.suffix) } ?? false }
  }

  private static let allMarkers = allAlgorithms.reduce(into: Set<String>()) {
    $0.formUnion($1.markers)
  }

  private static let table = SuffixTable()

  /// nil if the tensors identify no algorithm, as a lone alpha does not.
  private static func module(
    _ name: String, _ views: [String: TensorView], _ stated: StatedConfiguration, _ path: FilePath
  ) throws(CheckpointError) -> AdapterModule? {
    let alpha = try views[alphaSuffix.name].map { view throws(CheckpointError) in
      try alphaValue(view, module: name, path)
    }
    var factors = views
    factors[alphaSuffix.name] = nil
    // A change of the bias goes with any algorithm, and is an adapter of its own without one.
    let shapes = factors.mapValues(\.shape)
    let weightFactors = shapes.filter { !biasSuffixes.contains($0.key) }
    let candidates = allAlgorithms.filter {
      $0.recognizes(weightFactors.isEmpty ? shapes : weightFactors)
    }
    guard let algorithm = candidates.first else { return nil }
    guard candidates.count == 1 else {
      throw .mixedAlgorithms(path, module: name, candidates.map { $0.name })
    }
    let known = Set(algorithm.suffixes.map(\.name)).union(biasSuffixes)
    if let stray = factors.first(where: { !known.contains($0.key) }) {
      throw .unknownFactor(path, module: name, algorithm: algorithm.name, key: stray.value.name)
    }
    let rank = algorithm.rank(of: shapes)
    let declared = rank.flatMap { stated.alpha(of: name, rank: $0) }
    let keepsInputsFirst = stated.keepsInputsFirst(name)
    let module = try AdapterModule(
      name: name, algorithm: algorithm, views: factors, alpha: alpha ?? declared,
      alphaView: views[alphaSuffix.name],
      scale: rank == nil && alpha == nil && algorithm == LoKr.self ? stated.scale(of: name) : nil,
      keepsInputsFirst: keepsInputsFirst.map { _ in false }, file: path
    ).settingBias()
    guard keepsInputsFirst == true, var transposed = module.transposed() else { return module }
    transposed.keepsInputsFirst = true
    return transposed
  }

  private static func alphaValue(
    _ view: TensorView, module: String, _ path: FilePath
  ) throws(CheckpointError) -> Float {
    guard view.shape.count == 1, view.dtype.isConvertible else {
      throw .alpha(path, module: module, found: "\(view.dtype) \(view.shape)")
    }
    let value = view.tensor().elements[0]
    guard value.isFinite else { throw .alpha(path, module: module, found: "\(value)") }
    return value
  }
}

extension TensorView {
  /// Whether both hold the same numbers in the same format and shape, whatever they are called.
  package func hasSameContents(as other: TensorView) -> Bool {
    dtype == other.dtype && shape == other.shape && bytes.isEqual(to: other.bytes)
  }
}
