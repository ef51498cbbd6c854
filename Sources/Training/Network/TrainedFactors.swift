package import Adapters
package import Autograd
import LinearAlgebra
package import Tensors

/// The tensors of one module that are trained, and the factors that they make.
package struct TrainedFactors {
  package let algorithm: any TrainableAlgorithm.Type
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
  /// The bias itself where the weight is trained itself, or its change; nil where it stays.
  package let bias: Parameter?
  /// nil where all ranks are trained together.
  let blocks: RankBlocks?
  /// nil where the layer is one.
  let parts: RowParts?

  /// Factors that are trained in blocks of ranks, as parameters `SUFFIX.0` to `SUFFIX.count - 1`.
  struct RankBlocks {
    let algorithm: any BlockwiseAlgorithm.Type
    let suffixes: [String]
    /// Ranks of a block.
    let size: Int
    let count: Int
  }

  /// Suffixes of parameters that are no factors of a formula.
  static let weightSuffix = "weight"
  static let biasSuffix = "bias"

  /// First factors of a module, which change nothing.
  /// - Parameter base: the weight in f32, which is read only where it counts.
  /// - Throws: `NetworkError.settings`
  package init(
    for plan: PlannedModule, base: BaseWeight, bias baseBias: Tensor?,
    using generator: inout SeededGenerator
  ) throws(NetworkError) {
    let options = plan.options
    algorithm = plan.algorithm
    let settings = options.adapterSettings
    func parameter(_ suffix: String, _ value: Tensor) -> Parameter {
      Parameter("\(plan.name).\(suffix)", value)
    }
    guard !algorithm.trainsWeight else {
      parameters = [(Self.weightSuffix, parameter(Self.weightSuffix, base.tensor))]
      (constants, scale, alpha, scalar, magnitude, blocks) = ([:], 1, nil, nil, nil, nil)
      parts = nil
      magnitudeAxis = .outputs
      bias = baseBias.map { parameter(Self.biasSuffix, $0) }
      return
    }
    func first(_ base: BaseWeight) throws(NetworkError) -> Factors<Tensor> {
      do throws(AdapterError) {
        return try plan.algorithm.formula.initialFactors(for: base, settings, using: &generator)
      } catch {
        throw .settings(module: plan.name, error)
      }
    }
    guard plan.parts.isEmpty else {
      let rows = RowParts(rows: plan.parts, rank: options.rank)
      var parameters: [(suffix: String, parameter: Parameter)] = []
      var (scale, alpha): (Float, Float?) = (1, nil)
      for (part, height) in rows.rows.enumerated() {
        let shape: Shape = [height, base.shape.columns]
        let factors = try first(BaseWeight(shape) { Tensor(zeros: shape) })
        for (factor, value) in factors.values.sorted(by: { $0.key < $1.key }) {
          let suffix = rows.suffix(factor, part)
          parameters.append((suffix, parameter(suffix, value)))
        }
        scale = factors.scale
        alpha = plan.algorithm.storedAlpha(of: factors, settings)
          .map { $0 * Float(rows.rows.count) }
      }
      (self.parameters, self.scale, self.alpha, parts) = (parameters, scale, alpha, rows)
      (constants, scalar, magnitude, bias, blocks) = ([:], nil, nil, nil, nil)
      magnitudeAxis = .outputs
      return
    }
    parts = nil
    let factors = try first(base)
    let sorted = factors.values.sorted { $0.key < $1.key }
    if let algorithm = algorithm as? any BlockwiseAlgorithm.Type {
      parameters = sorted.flatMap { suffix, value in
        algorithm.blocks(of: value, suffix, size: settings.blockSize).enumerated().map {
          ("\(suffix).\($0)", parameter("\(suffix).\($0)", $1))
        }
      }
      blocks = RankBlocks(
        algorithm: algorithm, suffixes: sorted.map(\.key), size: settings.blockSize,
        count: parameters.count / max(sorted.count, 1))
    } else {
      parameters = sorted.map { ($0.key, parameter($0.key, $0.value)) }
      blocks = nil
    }
    constants = algorithm.constants(of: factors)
    scale = factors.scale
    alpha = algorithm.storedAlpha(of: factors, settings)
    scalar = settings.usesScalar ? parameter(scalarSuffix.name, Tensor(scalar: 0)) : nil
    magnitudeAxis = options.decomposesOutputs ? .outputs : .inputs
    magnitude =
      plan.isDecomposed
      ? parameter(
        WeightDecomposition<Tensor>.suffix.name,
        WeightDecomposition.lengths(
          of: base.tensor, along: options.decomposesOutputs ? .outputs : .inputs)) : nil
    bias = algorithm.trainedBias.flatMap { suffix in
      baseBias.map { parameter(suffix, Tensor(zeros: $0.shape)) }
    }
  }

  /// All that is trained.
  package var all: [Parameter] {
    parameters.map(\.parameter) + [scalar, magnitude, bias].compactMap { $0 }
  }

  /// What LoRA+ has learn faster, and all others.
  var byRate: (faster: [Parameter], others: [Parameter]) {
    guard let beginning = algorithm.fasterFactor else { return ([], all) }
    let names = Set(parameters.filter { $0.suffix.hasPrefix(beginning) }.map(\.parameter.name))
    return (all.filter { names.contains($0.name) }, all.filter { !names.contains($0.name) })
  }

  subscript(parameter suffix: String) -> Parameter {
    guard let found = parameters.first(where: { $0.suffix == suffix }) else {
      preconditionFailure("no parameter '\(suffix)' of \(algorithm)")
    }
    return found.parameter
  }

  // MARK: Factors

  /// The factors of the formula, the scalar multiplied in.
  /// - Parameter block: the block of ranks that is trained, those before it being constants; nil for all.
  func assembled<V: TensorAlgebra>(
    block: Int? = nil, _ value: (Parameter) -> V, _ constant: (Tensor) -> V
  ) -> Factors<V> {
    var factors = Factors<V>([:], scale: scale, alpha: alpha)
    if let parts {
      factors.values = parts.joined({ value(self[parameter: $0]) }, constant)
    } else if let blocks {
      let last = block ?? blocks.count - 1
      for suffix in blocks.suffixes {
        let parts = (0...last).map { index in
          let parameter = self[parameter: "\(suffix).\(index)"]
          return block != nil && index < last ? constant(parameter.value) : value(parameter)
        }
        factors.values[suffix] = blocks.algorithm.joined(parts, suffix)
      }
      factors.scale = blocks.algorithm.scale(
        alpha: alpha ?? 0, size: blocks.size, count: last + 1)
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
