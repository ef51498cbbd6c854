import Adapters
import Checkpoints
import LinearAlgebra
import Safetensors
import Tensors

/// One module: its change found anew, or its factors shortened.
extension AdapterReshaping {
  func reshape(_ work: Work) throws -> Result {
    let module = work.module
    if work.leftOut != nil { return Result(module: nil, report: nil) }
    guard let goal = try goal(of: work) else { return Result(module: module, report: nil) }
    var settings = settings.factorization
    settings.storage = module.factorFormat
    settings.maximumRank = work.ranks?.limit
    if turns(module) { settings.magnitudes = .inputs }
    let found: Factorization
    var alpha: Float?
    if case .algorithm(let target) = goal, target == LoRA.self, module.algorithm == LoRA.self,
      !settings.tucker, !bakes(module), !turns(module),
      let resized = try resized(module, work.ranks?.policy, settings)
    {
      (found, alpha) = resized
    } else {
      found = try converted(module, to: goal, work.ranks, settings)
    }
    guard found.squaredError.isFinite, module.factorFormat != .f16 || !found.overflowsHalf else {
      throw OperationError.overflow(module: module.name, settings.storage)
    }
    let keptMagnitudes =
      bakes(module) || settings.magnitudes != nil || !goal.takesMagnitudes ? [] : magnitudeSuffixes
    let result = module.replacingFactors(
      with: found, alpha: alpha, keeping: keptMagnitudes + [reshapeSuffix.name])
    return Result(module: result, report: report(module, found))
  }

  /// LoRA at another rank with alpha / rank as it was, like kohya's; nil where the factors are not all
  /// there is.
  private func resized(
    _ module: AdapterModule, _ policy: RankPolicy?, _ settings: FactorizationSettings
  ) throws -> (Factorization, alpha: Float?)? {
    let shape = try shape(for: module)
    let adapter = try module.adapter(for: shape)
    let scale = adapter.factors.scale
    let plain = Factors(adapter.factors.values, scale: 1)
    guard let change = try LoRA.lowRankChange(of: plain, for: shape) else { return nil }
    let found =
      try policy.map { try change.resized($0, settings: settings) }
      ?? change.stored(as: settings.storage)
    // Where nothing said an alpha, a missing one still means scale 1.
    let alpha: Float? =
      module.alpha == nil && scale == 1 ? nil : scale * Float(found.rank ?? 0)
    return (found.scaled(by: scale), alpha)
  }

  /// The change in another algorithm, or in the same one found anew.
  private func converted(
    _ module: AdapterModule, to goal: ReshapingSettings.Target,
    _ ranks: ReshapingSettings.Ranks?, _ settings: FactorizationSettings
  ) throws -> Factorization {
    let shape = try shape(for: module)
    try WorkingMemory.require(shape, copies: 3, for: module.name)
    var adapter = try module.adapter(for: shape)
    if !bakes(module), adapter.decomposition != nil, settings.magnitudes == nil {
      if goal.takesMagnitudes {
        // The magnitudes go on beside the factors of the direction.
        adapter = Adapter(algorithm: adapter.algorithm, factors: adapter.factors)
      } else {
        try requireBase(module, "DoRA")
      }
    }
    if !adapter.isAdditive {
      try requireBase(
        module, adapter.decomposition != nil ? "DoRA" : module.algorithm.name,
        flag: adapter.decomposition != nil ? "--bake_dora" : "")
    }
    guard case .algorithm(let target) = goal else {
      return Full.factorize(
        try adapter.change(of: weight(for: module, needed: !adapter.isAdditive)), settings)
    }
    let needsBase = adapter.needsBase(for: target) || settings.magnitudes != nil
    if needsBase { try requireBase(module, target.needsBase ? target.name : module.algorithm.name) }
    if ranks == nil, target == LoRA.self, !settings.tucker,
      let change = try adapter.lowRankChange(for: shape)
    {
      return try change.stored(as: settings.storage)
    }
    let policy = try ranks?.policy ?? defaultPolicy(for: target, of: module)
    let base = try weight(for: module, needed: needsBase)
    if settings.magnitudes != nil {
      return try target.factorization(
        of: try adapter.change(of: base), policy: policy, settings: settings)
    }
    let found = try adapter.converted(to: target, of: base, policy: policy, settings: settings)
    if let limit = ranks?.limit, target != LoRA.self, let rank = found.rank, rank > limit {
      return try adapter.converted(
        to: target, of: base, policy: .fixed(limit), settings: settings)
    }
    return found
  }

  /// Algorithms without a rank need none; that of a module can go on in another algorithm.
  private func defaultPolicy(
    for target: any ExtractableAlgorithm.Type, of module: AdapterModule
  ) throws(AdapterConversionError) -> RankPolicy {
    if target == IA3.self { return .fixed(1) }
    guard let rank = module.rank else {
      throw .needsRank(module.file, module: module.name, algorithm: target.name)
    }
    return .fixed(rank)
  }

  private func weight(for module: AdapterModule, needed: Bool) throws -> Tensor {
    guard needed, let base = settings.base else {
      return Tensor(zeros: try shape(for: module))
    }
    return try BaseWeights(base).weight(for: module)
  }

  private func requireBase(
    _ module: AdapterModule, _ algorithm: String, flag: String = ""
  ) throws(AdapterConversionError) {
    guard settings.base == nil else { return }
    throw .needsBase(module.file, module: module.name, algorithm: algorithm, flag: flag)
  }

  private var magnitudeSuffixes: [String] { WeightDecomposition<Tensor>.suffixes.map(\.name) }

  private func report(
    _ module: AdapterModule, _ found: Factorization
  ) -> ReshapingReport.Module {
    var sum: Double?
    var norm: Double?
    var ratio: Double?
    if let spectrum = found.spectrum, let rank = found.rank, let first = spectrum.first, first > 0 {
      let kept = spectrum.prefix(rank).map(Double.init)
      let all = spectrum.map(Double.init)
      sum = kept.reduce(0, +) / all.reduce(0, +)
      norm =
        (kept.reduce(0) { $0 + $1 * $1 } / all.reduce(0) { $0 + $1 * $1 }).squareRoot()
      ratio = kept.last.map { $0 > 0 ? Double(first) / $0 : .infinity }
    }
    return ReshapingReport.Module(
      name: module.name, algorithmBefore: module.algorithm.name, algorithm: found.algorithm,
      rankBefore: module.rank, rank: found.rank, detail: found.detail,
      deltaNorm: found.energy.squareRoot(), relativeError: found.relativeError,
      keptEnergy: found.keptEnergy, keptSum: sum, keptNorm: norm, largestRatio: ratio,
      bytes: found.byteCount)
  }
}

extension Factorization {
  /// The same factors for a change that is `scale` times this one, by an alpha that stands beside them.
  fileprivate func scaled(by scale: Float) -> Factorization {
    let square = Double(scale) * Double(scale)
    var result = Factorization(
      algorithm: algorithm, factors: factors, rank: rank, energy: energy * square,
      squaredError: squaredError * square, iterations: iterations, detail: detail)
    result.spectrum = spectrum
    return result
  }

  /// Whether a factor holds numbers that F16 has no room for.
  fileprivate var overflowsHalf: Bool {
    factors.contains { $0.tensor.dtype == .f16 && $0.tensor.infiniteHalfCount > 0 }
  }
}
