package import Adapters
package import Checkpoints
package import ModelFamilies
import OrderedCollections
import Safetensors
package import Tensors

/// What will be extracted from a pair of checkpoints, and what will not, decided from headers.
package struct ExtractionPlan: Sendable {
  /// A parameter of both checkpoints whose change gets a name in the adapter.
  package struct Item: Sendable {
    package enum Part: String, Sendable {
      case weight, bias, norm, normBias
    }

    package let module: FamilyModule
    package let part: Part
    package let base: MergeTarget
    package let tuned: MergeTarget
    /// Rows whose change is not taken, where one weight of the adapter is several layers here.
    package let omittedRows: [Range<Int>]
    package let shape: Shape
    /// How the rank is chosen; `.full` for whatever is stored whole.
    package let policy: RankPolicy
    /// What the change may become where it is not stored whole.
    package let algorithms: [any ExtractableAlgorithm.Type]
    package fileprivate(set) var factorization: FactorizationSettings
    /// What statistics of inputs may know the layer by.
    package let statisticsNames: [String]

    /// Work in multiplications, roughly: factorizing costs rank times as much as reading.
    package var cost: Int { policy == .full ? shape.count : 64 * shape.count }
  }

  /// A parameter whose change is not in the adapter.
  package struct LeftOut: Sendable {
    package let slot: ParameterSlot
    package let reason: Reason
    /// Where the tuned checkpoint has it: under another key, or in parts, if its layout is another.
    package let tuned: MergeTarget?

    package var key: String { slot.key }
    package var rows: Range<Int>? { slot.rows }
  }

  package enum Reason: String, Sendable, Codable {
    case norm = "norm: stored with --norms"
    case bias = "bias: stored with --bias"
    case notSelected = "not selected by preset or patterns"
    case component = "not in denoiser or text encoder"
    case embedding = "embedding"
    case unnamed = "no name in an adapter"
    case unread = "never loaded by the program that --reader names"
    case incomplete = "part of a layer of which the checkpoint lacks others"
    case baseOnly = "only in the base"
    case tunedOnly = "only in the tuned checkpoint"
  }

  package let base: BaseModel
  package let tuned: BaseModel
  package let items: [Item]
  package let leftOut: [LeftOut]
  /// Patterns and parts of a preset that select nothing, what programs do not read as it is meant, and what inputs are
  /// not known of.
  package internal(set) var notices: [String]
  /// By what errors of outputs are weighed; nil for errors of weights.
  package internal(set) var statistics: InputStatistics?
  /// Format of the factors.
  package let storage: DType
  /// Whether deltas that are stored whole become F64 where f32 would miss the tuned value.
  package let exactDeltas: Bool

  /// - Throws: `OperationError.noCommonModules`, `.pairedShapes`, `.nothingSelected`,
  ///   `.algorithmNotExtractable`; `CheckpointError.presetWithoutClasses`, `.quantized`.
  package init(
    base: BaseModel, tuned: BaseModel, settings: ExtractionSettings
  ) throws {
    for model in [base, tuned] { try model.requireReadable() }
    try settings.preset?.check(for: base.layout.family)
    let pairing = ExtractionPairing(base: base, tuned: tuned)
    var items: [Item] = []
    var leftOut: [LeftOut] = []
    var paired = 0
    for layer in pairing.layers {
      guard let other = layer.tuned else {
        leftOut += layer.base.layers.flatMap { Self.slots(of: $0).map { LeftOut($0, .baseOnly) } }
        continue
      }
      paired += 1
      let module = layer.module
      let selections = layer.base.layers.map { Selection(of: $0, settings) }
      for (part, target) in Self.parts(of: layer.base, in: base) {
        guard let otherTarget = part.isBias ? other.bias(in: tuned) : other.weight else {
          leftOut += target.parts.map { LeftOut($0.slot, .baseOnly) }
          continue
        }
        let (shape, otherShape) = (target.shape, otherTarget.shape)
        var omitted: [Range<Int>] = []
        for (piece, selection) in zip(target.parts, selections) {
          guard let reason = selection.reasonAgainst(part) else { continue }
          let counterpart =
            selections.count == 1
            ? otherTarget : shape == otherShape ? otherTarget.slice(piece.rows) : nil
          leftOut.append(LeftOut(piece.slot, reason, tuned: counterpart))
          omitted.append(piece.rows)
        }
        guard omitted.count < selections.count else { continue }
        guard shape == otherShape else {
          throw OperationError.pairedShapes(
            module: module.path, base: (base.file.path, shape), tuned: (tuned.file.path, otherShape)
          )
        }
        let method =
          try part == .weight ? settings.method(for: layer.base.layers[0], shape) : .whole
        items.append(
          Item(
            module: module, part: part, base: target, tuned: otherTarget, omittedRows: omitted,
            shape: shape, policy: method.policy, algorithms: method.algorithms,
            factorization: method.factorization, statisticsNames: layer.statisticsNames))
      }
    }
    leftOut += pairing.incomplete.flatMap { Self.slots(of: $0).map { LeftOut($0, .incomplete) } }
    let format = AdapterFormat.recognize(items.lazy.map { (name: $0.module.adapterName, keys: []) })
    let unread = Self.unread(items, as: format, of: base.layout.family, by: settings.reader)
    leftOut += unread.flatMap { item in
      item.base.parts.map {
        LeftOut($0.slot, .unread, tuned: item.base.parts.count == 1 ? item.tuned : nil)
      }
    }
    let unreadNames = Set(unread.map(\.module.adapterName))
    items.removeAll { unreadNames.contains($0.module.adapterName) }
    guard paired > 0 else {
      throw OperationError.noCommonModules(base: base.file.path, tuned: tuned.file.path)
    }
    let candidates = base.layout.modules.filter { $0.kind != .embedding && $0.role != .autoencoder }
    let notices =
      (settings.preset?.notices(among: candidates) ?? [])
      + settings.filter.notices(on: candidates.map(\.path))
    guard items.contains(where: { $0.part == .weight || $0.part == .norm }) else {
      throw OperationError.nothingSelected(available: paired, notices)
    }
    for module in pairing.tunedOnly {
      leftOut += Self.slots(of: module).map { LeftOut($0, .tunedOnly) }
    }
    leftOut += base.layout.unnamed.map {
      let slot = ParameterSlot(key: $0, rows: nil)
      return tuned.file.tensors[$0] == nil
        ? LeftOut(slot, .baseOnly)
        : LeftOut(
          slot, .unnamed, tuned: MergeTarget([(slot: slot, shape: tuned.shape(of: slot))]))
    }
    leftOut += tuned.layout.unnamed.filter { base.file.tensors[$0] == nil }.map {
      LeftOut(ParameterSlot(key: $0, rows: nil), .tunedOnly)
    }
    let whole = settings.ranks == .perModule(linear: .full, convolution: .full)
    let storage = settings.storage ?? (whole ? .f32 : Self.commonFormat(of: items, in: base))
    for index in items.indices { items[index].factorization.storage = storage }
    self.base = base
    self.tuned = tuned
    self.items = items
    self.storage = storage
    self.leftOut = leftOut.sorted {
      ($0.key, $0.rows?.lowerBound ?? 0) < ($1.key, $1.rows?.lowerBound ?? 0)
    }
    exactDeltas = settings.storage == nil && whole
    self.notices =
      notices
      + AdapterReader.warnings(
        on: Self.read(items), as: format, of: base.layout.family, for: settings.reader,
        command: "lyco-convert")
  }

  /// The 16-bit format or f32 that most of the weights have; codes count as what they were made from, where the
  /// file tells, and as F16 otherwise, as 8-bit weights do.
  private static func commonFormat(of items: [Item], in base: BaseModel) -> DType {
    var counts: [DType: Int] = [:]
    for item in items {
      let key = item.base.parts[0].slot.key
      guard let view = base.file.tensors[key] else { continue }
      let dtype = base.quantized.weights[key].map { $0.format ?? .f16 } ?? view.dtype
      let format: DType = dtype == .bf16 ? .bf16 : dtype == .f32 || dtype == .f64 ? .f32 : .f16
      counts[format, default: 0] += item.shape.count
    }
    return counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? .f16
  }

  private static func parts(
    of place: MergePlace, in base: BaseModel
  ) -> [(Item.Part, MergeTarget)] {
    let isNorm = place.layers[0].kind == .norm
    return [(isNorm ? .norm : .weight, place.weight)]
      + (place.bias(in: base).map { [(isNorm ? .normBias : .bias, $0)] } ?? [])
  }

  private static func slots(of module: FamilyModule) -> [ParameterSlot] {
    [module.weight] + (module.bias.map { [$0] } ?? [])
  }
}

extension ExtractionPlan.LeftOut {
  fileprivate init(
    _ slot: ParameterSlot, _ reason: ExtractionPlan.Reason, tuned: MergeTarget? = nil
  ) {
    self.init(slot: slot, reason: reason, tuned: tuned)
  }
}

extension ExtractionPlan.Item.Part {
  var isBias: Bool { self == .bias || self == .normBias }

  /// The suffix under which the change is stored whole.
  var suffix: String {
    switch self {
    case .weight: Full.difference
    case .bias: Full.biasDifference
    case .norm: Norm.difference
    case .normBias: Norm.biasDifference
    }
  }
}

/// Whether and why not a module takes part.
private struct Selection {
  private let module: FamilyModule
  private let settings: ExtractionSettings
  private let refusal: ExtractionPlan.Reason?

  init(of module: FamilyModule, _ settings: ExtractionSettings) {
    self.module = module
    self.settings = settings
    // Norms have no class of their own in a preset: in the parts of a model that it asks for they follow
    // `--norms` and the patterns.
    let selected =
      settings.preset.map {
        module.kind == .norm ? $0.covers(module.role) : $0.selects(module)
      } ?? true
    refusal =
      if module.role == .autoencoder { .component } else if module.kind == .embedding {
        .embedding
      } else if !selected || !settings.filter.keeps(module.path) { .notSelected } else { nil }
  }

  func reasonAgainst(_ part: ExtractionPlan.Item.Part) -> ExtractionPlan.Reason? {
    switch part {
    case .norm, .normBias: refusal ?? (settings.norms ? nil : .norm)
    case .bias: refusal ?? (settings.biases ? nil : .bias)
    case .weight: refusal ?? (settings.selectsWeights ? nil : .notSelected)
    }
  }
}

/// How one weight's change is stored.
private struct Method {
  let policy: RankPolicy
  let algorithms: [any ExtractableAlgorithm.Type]
  let factorization: FactorizationSettings

  static var whole: Method { Method(policy: .full, algorithms: [], factorization: .init()) }
}

extension ExtractionSettings {
  /// For a layer whose weight has a shape, its preset's overrides included.
  /// - Throws: `OperationError.algorithmNotExtractable`
  fileprivate func method(for module: FamilyModule, _ shape: Shape) throws -> Method {
    let hasKernel = shape.kernel.contains { $0 != 1 }
    let override = preset?.override(for: module)
    var algorithms = algorithms
    if let name = override?.algorithm {
      if name == Full.name { return .whole }
      guard let chosen = algorithm(named: name) as? any ExtractableAlgorithm.Type else {
        throw OperationError.algorithmNotExtractable(name, module: module.path)
      }
      algorithms = [chosen]
    }
    var factorization = factorization
    if weighsOutputs {
      let fitting = algorithms.filter { $0.weighing != nil }
      guard !fitting.isEmpty else {
        throw OperationError.notWeighed(algorithms[0].name, module: module.path)
      }
      algorithms = fitting
    }
    if let factor = override?.factor { factorization.factor = factor > 0 ? factor : -1 }
    guard case .perModule(let linear, let convolution) = ranks else {
      return Method(
        policy: .fixed(min(shape.rows, shape.columns)), algorithms: algorithms,
        factorization: factorization)
    }
    var policy = hasKernel ? convolution : linear
    if case .fixed = policy,
      let rank = hasKernel ? override?.convolutionRank : override?.linearRank
    {
      policy = .fixed(rank)
    }
    return Method(policy: policy, algorithms: algorithms, factorization: factorization)
  }
}
