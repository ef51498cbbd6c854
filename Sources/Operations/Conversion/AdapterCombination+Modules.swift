import Adapters
import Checkpoints
import LinearAlgebra
import Safetensors
import Tensors

/// Modules to changes, and joined changes to modules.
extension AdapterCombination {
  /// A module that no other joins, at its ratio: to the bit at 1, otherwise by its alpha, or by a factor
  /// that carries the scale where alpha means nothing; nil where the change has to be found first.
  func scaled(_ part: Contribution) throws -> AdapterModule? {
    let (module, ratio) = (part.module, part.ratio)
    if ratio == 1, settings.method != .svd || !exceedsRank(module) { return module }
    if settings.method == .svd, exceedsRank(module) { return nil }
    guard module.magnitude == nil, let carriers = module.ratioCarriers else { return nil }
    var views = module.views
    for suffix in carriers + biasSuffixes where views[suffix] != nil {
      views[suffix] = views[suffix]?.scaled(by: ratio)
    }
    guard carriers.isEmpty else { return module.replacing(views) }
    let alpha = (module.alpha ?? module.rank.map(Float.init) ?? 1) * ratio
    return module.replacing(views).withAlpha(alpha, adding: true)
  }

  private func exceedsRank(_ module: AdapterModule) -> Bool {
    guard module.algorithm == LoRA.self, let rank = module.rank,
      let shape = module.algorithm.weightShape(of: module.shapes)
    else { return false }
    return rank > self.rank(for: shape) ?? .max
  }

  /// The rank that was asked for, nil for none.
  func rank(for shape: Shape) -> Int? {
    shape.kernel.contains { $0 != 1 } ? settings.convolutionRank : settings.linearRank
  }

  /// What a module adds, decoded; baked against the base where it depends on that.
  /// - Throws: `AdapterConversionError.notCombinable` without a base.
  func change(of part: Contribution) throws -> ModuleChange {
    let module = part.module
    let isNorm = module.algorithm == Norm.self
    func change(_ weight: ModuleChange.Weight?) throws -> ModuleChange {
      ModuleChange(
        weight: weight, bias: try module.biasChange()?[Full.difference], isNorm: isNorm,
        ratio: part.ratio)
    }
    guard module.changesWeight else { return try change(nil) }
    guard module.isAdditive else {
      guard let base = settings.base else {
        throw AdapterConversionError.notCombinable(
          module.file, module: module.name,
          algorithm: module.magnitude != nil ? "DoRA" : module.algorithm.name)
      }
      let weight = try BaseWeights(base).weight(for: module)
      let adapter = try module.adapter(for: weight.shape)
      return try change(.whole(try adapter.change(of: weight).delta))
    }
    let shape = try BaseWeights.shape(for: module, in: settings.base)
    let adapter = try module.adapter(for: shape)
    // Factors of high rank would be no smaller than the change itself.
    if let product = try adapter.lowRankChange(for: shape),
      product.rank < min(shape.rows, shape.columns) || module.algorithm == LoRA.self
    {
      return try change(.product(product))
    }
    try WorkingMemory.require(shape, copies: 3, for: module.name)
    return try change(
      .whole(try adapter.adapt(weight: Tensor(zeros: shape), multiplier: 1)))
  }

  /// The joined change under the name that all parts have, in the format of the parts where rounding to it
  /// adds no more to the relative error than that format's spacing of numbers (`largestRounding`), in F32
  /// otherwise.
  func module(of joined: JoinedChange, _ parts: [Contribution]) throws -> AdapterModule {
    let first = parts[0].module
    let format = DType.joining(parts.map(\.module.factorFormat))
    var views: [String: TensorView] = [:]
    func put(_ suffix: String, _ tensor: EncodedTensor) {
      views[suffix] = TensorView("\(first.name).\(suffix)", tensor, from: first.file)
    }
    if let bias = joined.bias {
      put(
        joined.isNorm ? Norm.biasDifference : Full.biasDifference,
        EncodedTensor(bias, as: format, orF32Above: format.largestRounding))
    }
    var algorithm: any AdapterAlgorithm.Type = joined.isNorm ? Norm.self : Full.self
    var alpha: Float?
    switch joined.weight {
    case nil: break
    case .whole(let tensor) where !wantsFactors || tensor.shape.dimensions.count < 2:
      put(
        joined.isNorm ? Norm.difference : Full.difference,
        EncodedTensor(tensor, as: format, orF32Above: format.largestRounding))
    case .some(let weight):
      let (up, down, rest) = try factors(of: weight, parts)
      let (narrowUp, narrowDown) = (EncodedTensor(up, as: format), EncodedTensor(down, as: format))
      let isClose = Self.isClose(
        up.squaredDistance(to: narrowUp.decoded()), down, narrowDown, scaledBy: up, beside: rest,
        within: format.largestRounding)
      put(LoRA.up, isClose ? narrowUp : EncodedTensor(up, as: .f32))
      put(LoRA.down, isClose ? narrowDown : EncodedTensor(down, as: .f32))
      algorithm = LoRA.self
      alpha = Float(down.shape.rows)
    }
    if let reshape = parts.compactMap({ $0.module.views[reshapeSuffix.name] }).first,
      algorithm == LoRA.self
    {
      views[reshapeSuffix.name] = reshape
    }
    return AdapterModule(
      name: first.name, algorithm: algorithm, views: views, alpha: nil,
      keepsInputsFirst: first.keepsInputsFirst, file: first.file
    ).withAlpha(alpha, adding: true)
  }

  /// Whether what is not of low rank becomes factors too.
  private var wantsFactors: Bool { ![.concat, .orthogonal].contains(settings.method) }

  /// Whether rounding adds no more than a bound to the relative error of a product, where `rest` of ‖Δ‖² is
  /// cut off already: it moves the product as much as it moves up, whose columns are as long as what they
  /// contribute, and as much as it moves rows of down beside these columns.
  private static func isClose(
    _ movedUp: Double, _ down: Tensor, _ stored: EncodedTensor, scaledBy up: Tensor,
    beside rest: Double, within bound: Double
  ) -> Bool {
    let rounded = stored.decoded()
    if movedUp == 0, rounded == down { return true }
    let squares = up.reshaped(up.shape.asMatrix).columnSquares()
    let (rows, distances) = (down.rowSquares(), down.rowSquaredDistances(to: rounded))
    var (moved, energy) = (movedUp, 0.0)
    for i in squares.indices {
      energy += squares[i] * rows[i]
      moved += squares[i] * distances[i]
    }
    let added = (rest + moved).squareRoot() - rest.squareRoot()
    return added <= bound * (energy + rest).squareRoot()
  }

  /// up and down of scale 1, in the shapes of a layer or convolution: those of the sum, or of the nearest
  /// change of a lower rank, with the squared error of that.
  private func factors(
    of weight: ModuleChange.Weight, _ parts: [Contribution]
  ) throws -> (up: Tensor, down: Tensor, rest: Double) {
    let shape =
      switch weight {
      case .product(let change): change.weight
      case .whole(let tensor): tensor.shape
      }
    let ranks = parts.compactMap { $0.module.algorithm == LoRA.self ? $0.module.rank : nil }
    let limit = wantsFactors ? rank(for: shape) ?? ranks.max() ?? .max : .max
    let found: Factors<Tensor>
    var rest = 0.0
    switch weight {
    case .product(let change) where limit >= change.rank: found = change.factors
    case .product(let change):
      let product = try DecomposedProduct(change.up, change.down)
      let svd = try product.leading(limit)
      rest = product.s.dropFirst(limit).sumOfSquares
      found = LowRankChange(of: shape, svd).factors
    case .whole(let tensor):
      let svd = try tensor.reshaped(shape.asMatrix).truncatedSVD(
        rank: min(limit, shape.rows, shape.columns), method: settings.svd, seed: settings.seed)
      rest = max(tensor.sumOfSquares - svd.s[...].sumOfSquares, 0)
      found = LowRankChange(of: shape, svd).factors
    }
    return (try found.require(LoRA.up), try found.require(LoRA.down), rest)
  }
}

extension ArraySlice<Float> {
  fileprivate var sumOfSquares: Double { reduce(0) { $0 + Double($1) * Double($1) } }
}

extension AdapterModule {
  /// Whether it changes a weight with outputs and inputs, and not only a vector.
  var isWeightMatrix: Bool {
    changesWeight && algorithm != Norm.self
      && views[Full.difference].map { $0.shape.dimensions.count > 1 } ?? true
  }

  /// Suffixes of the tensors that are multiplied to scale the module; empty where alpha is; nil where
  /// neither does, because the change is no multiple of anything stored.
  fileprivate var ratioCarriers: [String]? {
    if scale != nil || views[fixedScaleSuffix.name] != nil {
      return views[fixedScaleSuffix.name] == nil ? nil : [fixedScaleSuffix.name]
    }
    switch algorithm {
    case is Full.Type: return [Full.difference]
    case is Norm.Type: return [Norm.difference]
    case is IA3.Type: return [IA3.weight]
    case is LoKr.Type where rank == nil: return [LoKr.w1]
    case is LoRA.Type, is LoHa.Type, is LoKr.Type, is GLoRA.Type: return rank == nil ? nil : []
    default: return nil
    }
  }
}

extension TensorView {
  /// The numbers times a factor, in the same format where that adds no error to speak of, else in F32.
  fileprivate func scaled(by factor: Float) -> TensorView {
    let stored = EncodedTensor(
      tensor() * factor, as: dtype == .f64 ? .f32 : dtype, orF32Above: dtype.largestRounding)
    return TensorView(name, stored, from: file)
  }
}

extension DType {
  /// How much rounding to the format may add to the relative error of a sum: the spacing of its numbers,
  /// which is about three times what rounding numbers of ordinary size does. Below, F16 runs out of
  /// exponents.
  var largestRounding: Double {
    switch self {
    case .f16: 0x1p-10
    case .bf16: 0x1p-7
    default: 1e-5
    }
  }
}

extension EncodedTensor {
  /// In a narrow format where that changes the tensor by no more than the share `bound` of its norm.
  init(_ tensor: Tensor, as dtype: DType, orF32Above bound: Double) {
    let narrow = EncodedTensor(tensor, as: dtype)
    let error = narrow.decoded().squaredDistance(to: tensor)
    self =
      error <= bound * bound * tensor.sumOfSquares ? narrow : EncodedTensor(tensor, as: .f32)
  }
}
