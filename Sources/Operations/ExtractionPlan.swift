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
    package let base: ParameterSlot
    package let tuned: ParameterSlot
    package let shape: Shape
    /// How the rank is chosen; `.full` for whatever is stored whole.
    package let policy: RankPolicy
    /// What the change may become where it is not stored whole.
    package let algorithms: [any ExtractableAlgorithm.Type]
    package fileprivate(set) var factorization: FactorizationSettings

    /// Work in multiplications, roughly: factorizing costs rank times as much as reading.
    package var cost: Int { policy == .full ? shape.count : 64 * shape.count }
  }

  /// A parameter whose change is not in the adapter.
  package struct LeftOut: Sendable {
    package let key: String
    package let rows: Range<Int>?
    package let reason: Reason
    /// Where the tuned checkpoint has it: under another key if its layout is another.
    package let tuned: ParameterSlot?
  }

  package enum Reason: String, Sendable, Codable {
    case norm = "norm: stored with --norms"
    case bias = "bias: stored with --bias"
    case notSelected = "not selected by preset or patterns"
    case component = "not in denoiser or text encoder"
    case embedding = "embedding"
    case unnamed = "no name in an adapter"
    case baseOnly = "only in the base"
    case tunedOnly = "only in the tuned checkpoint"
  }

  package let base: BaseModel
  package let tuned: BaseModel
  package let items: [Item]
  package let leftOut: [LeftOut]
  /// Patterns and parts of a preset that select nothing.
  package let notices: [String]
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
    var counterparts: [String: FamilyModule] = [:]
    for module in tuned.layout.modules { counterparts[module.adapterName] = module }
    var items: [Item] = []
    var leftOut: [LeftOut] = []
    var paired = 0
    for module in base.layout.modules {
      guard let other = counterparts.removeValue(forKey: module.adapterName) else {
        leftOut.append(contentsOf: Self.slots(of: module).map { LeftOut($0, .baseOnly) })
        continue
      }
      paired += 1
      let selection = Selection(of: module, settings)
      for (part, slot) in Self.parts(of: module) {
        guard let otherSlot = part.isBias ? other.bias : other.weight else {
          leftOut.append(LeftOut(slot, .baseOnly))
          continue
        }
        if let reason = selection.reasonAgainst(part) {
          leftOut.append(LeftOut(slot, reason, tuned: otherSlot))
          continue
        }
        let shape = base.shape(of: slot)
        let otherShape = tuned.shape(of: otherSlot)
        guard shape == otherShape else {
          throw OperationError.pairedShapes(
            module: module.path, base: (base.file.path, shape), tuned: (tuned.file.path, otherShape)
          )
        }
        let method = try part == .weight ? settings.method(for: module) : .whole
        items.append(
          Item(
            module: module, part: part, base: slot, tuned: otherSlot, shape: shape,
            policy: method.policy, algorithms: method.algorithms,
            factorization: method.factorization))
      }
    }
    guard paired > 0 else {
      throw OperationError.noCommonModules(base: base.file.path, tuned: tuned.file.path)
    }
    let candidates = base.layout.modules.filter { $0.kind != .embedding && $0.component != "vae" }
    notices =
      (settings.preset?.notices(among: candidates) ?? [])
      + settings.filter.notices(on: candidates.map(\.path))
    guard items.contains(where: { $0.part == .weight || $0.part == .norm }) else {
      throw OperationError.nothingSelected(available: paired, notices)
    }
    for module in counterparts.values {
      leftOut += Self.slots(of: module).map { LeftOut($0, .tunedOnly) }
    }
    leftOut += base.layout.unnamed.map {
      let slot = ParameterSlot(key: $0, rows: nil)
      return tuned.file.tensors[$0] == nil
        ? LeftOut(slot, .baseOnly) : LeftOut(slot, .unnamed, tuned: slot)
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
  }

  /// The 16-bit format or f32 that most of the weights have; codes count as what they were made from, where the
  /// file tells, and as F16 otherwise, as 8-bit weights do.
  private static func commonFormat(of items: [Item], in base: BaseModel) -> DType {
    var counts: [DType: Int] = [:]
    for item in items {
      let key = item.base.key
      guard let view = base.file.tensors[key] else { continue }
      let dtype = base.quantized.weights[key].map { $0.format ?? .f16 } ?? view.dtype
      let format: DType = dtype == .bf16 ? .bf16 : dtype == .f32 || dtype == .f64 ? .f32 : .f16
      counts[format, default: 0] += item.shape.count
    }
    return counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? .f16
  }

  private static func parts(of module: FamilyModule) -> [(Item.Part, ParameterSlot)] {
    let isNorm = module.kind == .norm
    return [(isNorm ? .norm : .weight, module.weight)]
      + (module.bias.map { [(isNorm ? .normBias : .bias, $0)] } ?? [])
  }

  private static func slots(of module: FamilyModule) -> [ParameterSlot] {
    [module.weight] + (module.bias.map { [$0] } ?? [])
  }
}

extension ExtractionPlan.LeftOut {
  fileprivate init(
    _ slot: ParameterSlot, _ reason: ExtractionPlan.Reason, tuned: ParameterSlot? = nil
  ) {
    self.init(key: slot.key, rows: slot.rows, reason: reason, tuned: tuned)
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
    // Norms have no class of their own in a preset: they follow `--norms` and the patterns.
    let selected = module.kind == .norm || settings.preset?.selects(module) ?? true
    refusal =
      if module.component == "vae" { .component } else if module.kind == .embedding {
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
  /// For a layer, its preset's overrides included.
  /// - Throws: `OperationError.algorithmNotExtractable`
  fileprivate func method(for module: FamilyModule) throws -> Method {
    let hasKernel = module.shape.kernel.contains { $0 != 1 }
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
    if let factor = override?.factor { factorization.factor = factor > 0 ? factor : -1 }
    guard case .perModule(let linear, let convolution) = ranks else {
      return Method(
        policy: .fixed(min(module.shape.rows, module.shape.columns)), algorithms: algorithms,
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
