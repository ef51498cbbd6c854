package import Adapters
package import Autograd
import LinearAlgebra
package import Tensors

/// The tensors of one module that are trained, and the factors that they make.
package struct TrainedFactors {
  package let algorithm: NetworkAlgorithm
  /// By suffix, in an order that does not change.
  package let parameters: [(suffix: String, parameter: Parameter)]
  /// What belongs to the formula and is not trained.
  let constants: [String: Tensor]
  /// alpha / rank
  package let scale: Float
  /// As a file has it; nil where it has none.
  package let alpha: Float?
  /// Multiplies the change; nil where nothing does.
  package let scalar: Parameter?
  /// DoRA's lengths.
  package let magnitude: Parameter?
  package let magnitudeAxis: WeightDecomposition<Variable>.Axis
  /// Of `full` the bias itself, of `norm` its change; nil where there is none.
  package let bias: Parameter?
  /// DyLoRA: ranks of a block.
  let blockSize: Int

  /// Suffixes of parameters that are no factors of a formula.
  static let weightSuffix = "weight"
  static let biasSuffix = "bias"

  /// First factors of a module, which change nothing.
  /// - Parameter base: the weight in f32.
  /// - Throws: `NetworkError.settings`
  package init(
    for plan: PlannedModule, base: Tensor, bias baseBias: Tensor?,
    using generator: inout SeededGenerator
  ) throws(NetworkError) {
    let options = plan.options
    algorithm = plan.algorithm
    blockSize = options.blockSize
    func parameter(_ suffix: String, _ value: Tensor) -> Parameter {
      Parameter("\(plan.name).\(suffix)", value)
    }
    guard algorithm != .full else {
      parameters = [(Self.weightSuffix, parameter(Self.weightSuffix, base))]
      (constants, scale, alpha, scalar, magnitude) = ([:], 1, nil, nil, nil)
      magnitudeAxis = .outputs
      bias = baseBias.map { parameter(Self.biasSuffix, $0) }
      return
    }
    let factors: Factors<Tensor>
    do throws(AdapterError) {
      factors = try algorithm.formula.initialFactors(
        for: base, options.adapterSettings, using: &generator)
    } catch {
      throw .settings(module: plan.name, error)
    }
    let sorted = factors.values.sorted { $0.key < $1.key }
    if algorithm == .dylora {
      parameters = sorted.flatMap { suffix, value in
        Self.blocks(of: value, suffix, size: options.blockSize).enumerated().map {
          ("\(suffix).\($0)", parameter("\(suffix).\($0)", $1))
        }
      }
    } else {
      parameters = sorted.map { ($0.key, parameter($0.key, $0.value)) }
    }
    constants = Self.start(of: factors, algorithm)
    scale = factors.scale
    alpha = Self.alpha(of: factors, options, algorithm)
    scalar =
      options.usesScalar && algorithm.options.contains("use_scalar")
      ? parameter(scalarSuffix.name, Tensor(scalar: 0)) : nil
    magnitudeAxis = options.decomposesOutputs ? .outputs : .inputs
    magnitude =
      options.decomposesWeight && algorithm.options.contains("dora_wd")
      ? parameter(
        WeightDecomposition<Tensor>.suffix.name,
        WeightDecomposition.lengths(
          of: base, along: options.decomposesOutputs ? .outputs : .inputs)) : nil
    bias =
      algorithm == .norm
      ? baseBias.map { parameter(Norm.biasDifference, Tensor(zeros: $0.shape)) } : nil
  }

  /// All that is trained.
  package var all: [Parameter] {
    parameters.map(\.parameter) + [scalar, magnitude, bias].compactMap { $0 }
  }

  /// alpha as a reader of the file divides it by the rank.
  private static func alpha(
    of factors: Factors<Tensor>, _ options: ModuleOptions, _ algorithm: NetworkAlgorithm
  ) -> Float? {
    switch algorithm {
    // Without a product of low rank the scale is 1.
    case .lokr where factors[LoKr.w1] != nil && factors[LoKr.w2] != nil: Float(options.rank)
    // LyCORIS divides alpha by the number of blocks, a reader by that of ranks.
    case .dylora: options.effectiveAlpha * Float(options.blockSize)
    case _ where algorithm.hasRank: options.effectiveAlpha
    default: factors.alpha
    }
  }

  /// T-LoRA: what it starts with is subtracted.
  private static func start(
    of factors: Factors<Tensor>, _ algorithm: NetworkAlgorithm
  ) -> [String: Tensor] {
    guard algorithm == .tlora, let up = factors[TLoRA.up], let down = factors[TLoRA.down],
      let values = factors[TLoRA.values]
    else { return [:] }
    return [TLoRA.startUp: up, TLoRA.startDown: down.scaledRows(by: values)]
  }

  // MARK: DyLoRA

  /// How many blocks DyLoRA has.
  var blockCount: Int { parameters.count / 2 }

  /// Ranks of a factor in blocks: columns of up, rows of down.
  static func blocks(of factor: Tensor, _ suffix: String, size: Int) -> [Tensor] {
    let isUp = suffix == LoRA.up
    let byRank = isUp ? factor.transposed() : factor
    return stride(from: 0, to: byRank.shape.rows, by: size).map { start in
      let block = byRank.rows(start..<start + size)
      return isUp ? block.transposed() : block
    }
  }

  private func joined<V: TensorAlgebra>(
    upTo last: Int, freezing: Bool, _ value: (Parameter) -> V, _ constant: (Tensor) -> V
  ) -> [String: V] {
    func blocks(_ suffix: String) -> [V] {
      (0...last).map { index in
        let parameter = self[parameter: "\(suffix).\(index)"]
        return freezing && index < last ? constant(parameter.value) : value(parameter)
      }
    }
    return [
      LoRA.up: V.stacked(blocks(LoRA.up).map { $0.transposed() }).transposed(),
      LoRA.down: V.stacked(blocks(LoRA.down)),
    ]
  }

  subscript(parameter suffix: String) -> Parameter {
    guard let found = parameters.first(where: { $0.suffix == suffix }) else {
      preconditionFailure("no parameter '\(suffix)' of \(algorithm)")
    }
    return found.parameter
  }

  // MARK: Factors

  /// The factors of the formula, the scalar multiplied in.
  /// - Parameter block: DyLoRA's block that is trained, those before it being constants; nil for all.
  func assembled<V: TensorAlgebra>(
    block: Int? = nil, _ value: (Parameter) -> V, _ constant: (Tensor) -> V
  ) -> Factors<V> {
    var factors = Factors<V>([:], scale: scale, alpha: alpha)
    if algorithm == .dylora {
      let last = block ?? blockCount - 1
      factors.values = joined(upTo: last, freezing: block != nil, value, constant)
      // alpha over the number of blocks, as LyCORIS has it; `alpha` is what a reader of all divides.
      factors.scale = (alpha ?? 0) / Float(blockSize) / Float(last + 1)
    } else {
      for (suffix, parameter) in parameters { factors.values[suffix] = value(parameter) }
    }
    for (suffix, tensor) in constants { factors.values[suffix] = constant(tensor) }
    guard let scalar else { return factors }
    let carriers = algorithm.formula.scaleCarriers(of: factors.values.mapValues(\.shape)) ?? []
    for suffix in carriers {
      guard let factor = factors.values[suffix] else { continue }
      // One row of all elements, times one number.
      factors.values[suffix] = factor.reshaped([1, factor.shape.count])
        .scaledRows(by: value(scalar).reshaped([1])).reshaped(factor.shape)
    }
    return factors
  }

  /// The factors as they are now.
  package var values: Factors<Tensor> { assembled({ $0.value }, { $0 }) }
}
