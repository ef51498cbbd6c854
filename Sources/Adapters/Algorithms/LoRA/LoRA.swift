package import LinearAlgebra
package import Tensors

/// ΔW = (alpha / rank) · up · down, for linear layers (LoRA) and convolutions (LoCon).
///
/// Shapes: up `[out, rank]`, down `[rank, in]`; for a convolution up `[out, rank, 1…]` and down
/// `[rank, in / groups, kernel…]`. In the Tucker form down is `[rank, in, 1…]` and a core
/// mid `[rank, rank, kernel…]` stands between: ΔW[p, q, k] = Σ up[p, i] mid[i, j, k] down[j, q].
/// A sparse residual, expanded to a matrix (`SparseResidual.expand`), is added to the product before
/// it is scaled.
///
/// Sources: Hu et al. 2021, arXiv 2106.09685; Yeh et al. 2023, arXiv 2309.14859; LyCORIS
/// `modules/locon.py`, `utils/__init__.py`.
package enum LoRA: AdditiveAlgorithm {
  package static let name = "lora"
  package static let aliases = ["locon"]

  package static let up = "lora_up.weight"
  package static let down = "lora_down.weight"
  package static let mid = "lora_mid.weight"
  static let residual = SparseResidual.valuesSuffix
  /// The bias of the second product, which is scaled as the product is: PEFT's `lora_bias`.
  package static let bias = "lora_up.bias"

  package static let suffixes =
    [
      FactorSuffix(
        up,
        spelled: [
          "_lora.up.weight", ".lora_B.weight", ".lora.up.weight", ".lora_B",
          ".lora_linear_layer.up.weight", ".___.layer.W_up",
        ]),
      FactorSuffix(
        down,
        spelled: [
          "_lora.down.weight", ".lora_A.weight", ".lora.down.weight", ".lora_A",
          ".lora_linear_layer.down.weight", ".___.layer.W_down",
        ]),
      FactorSuffix(mid),
      FactorSuffix(SparseResidual.indicesSuffix), FactorSuffix(residual),
      FactorSuffix(SparseResidual.sizeSuffix),
      FactorSuffix(Full.biasDifference),
      FactorSuffix(
        bias,
        spelled: [
          ".lora_B.bias", "_lora.up.bias", ".lora.up.bias", ".lora_linear_layer.up.bias",
        ]),
      scalarSuffix, fixedScaleSuffix, reshapeSuffix,
    ] + WeightDecomposition.suffixes
  package static let markers: Set<String> = [up, down]

  package static func rowSuffixes(of shapes: [String: Shape]) -> [String]? { [up, residual] }

  package static func rank(of shapes: [String: Shape]) -> Int? { shapes[down]?.rows }

  package static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError) {
    guard let up = shapes[Self.up] else { throw .missingFactor(Self.up) }
    guard let down = shapes[Self.down] else { throw .missingFactor(Self.down) }
    let mid = shapes[Self.mid]
    // The core's axes may differ: axis 0 meets up, axis 1 meets down.
    let inner = mid?.dimensions.first ?? down.rows
    guard up.rows == base.rows, up.columns == inner else {
      throw .factorShape(Self.up, expected: "[\(base.rows), \(inner)]", found: up)
    }
    if let mid {
      let kernel = base.kernel
      guard mid.dimensions == [inner, down.rows] + kernel else {
        throw .factorShape(
          Self.mid, expected: "\(Shape([inner, down.rows] + kernel))", found: mid)
      }
    }
    let columns = mid == nil ? base.columns : base.dimensions.dropFirst().first ?? 1
    guard down.columns == columns else {
      let expected =
        mid == nil ? [down.rows] + base.dimensions.dropFirst() : [down.rows, columns]
      throw .factorShape(Self.down, expected: "\(Shape(expected))", found: down)
    }
  }

  package static func weightShape(of shapes: [String: Shape]) -> Shape? {
    guard let up = shapes[Self.up], let down = shapes[Self.down] else { return nil }
    let inputs = down.dimensions.dropFirst()
    return Shape([up.rows] + (shapes[Self.mid].map { inputs.prefix(1) + $0.kernel } ?? inputs))
  }

  package static func delta(of factors: Factors<Tensor>) throws(AdapterError) -> AdapterDelta {
    if let residual = factors[residual] {
      return .whole(
        try adaptedWeight(Tensor(zeros: residual.shape), factors, multiplier: 1))
    }
    let (up, down) = try product(of: factors)
    return .product(up * factors.scale, down)
  }

  package static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V {
    let (up, down) = try product(of: factors)
    let strength = multiplier * factors.scale
    let shape = base.shape
    var weight = base.reshaped(shape.asMatrix).adding(product: up, down, times: strength)
    if let residual = factors[residual] {
      weight = weight.adding(residual.reshaped(shape.asMatrix), times: strength)
    }
    return weight.reshaped(shape)
  }

  /// up `[out, rank]` and down `[rank, in · kernel]` as matrices, a core absorbed.
  /// - Throws: `AdapterError.missingFactor`
  private static func product<V: TensorAlgebra>(
    of factors: Factors<V>
  ) throws(AdapterError) -> (up: V, down: V) {
    let up = try factors.require(up)
    let down = try factors.require(down)
    return (
      up.reshaped(up.shape.asMatrix),
      factors[mid].map { absorbing($0, into: down) } ?? down.reshaped(down.shape.asMatrix)
    )
  }

  /// down' `[rank, in · kernel]` with ΔW = up · down': the same rank, without a core.
  package static func absorbing<V: TensorAlgebra>(_ mid: V, into down: V) -> V {
    let (inner, rank) = (mid.shape.dimensions[0], mid.shape.dimensions[1])
    let width = down.shape.columns
    let kernel = mid.shape.kernel.reduce(1, *)
    // down'[i, q, k] = Σ_j mid[i, j, k] down[j, q]: for each i the transpose of downᵀ · mid_i is
    // not contiguous, so contract over j with mid as [i·k, j] and put k last again.
    return mid.reshaped([inner, rank, kernel]).swappedLastAxes().reshaped([inner * kernel, rank])
      .matmul(down.reshaped([rank, width]))
      .reshaped([inner, kernel, width]).swappedLastAxes().reshaped([inner, width * kernel])
  }

  package static func initialFactors(
    for base: BaseWeight, _ settings: AdapterSettings, using generator: inout SeededGenerator
  ) throws(AdapterError) -> Factors<Tensor> {
    let (shape, rank) = (base.shape, settings.rank)
    let ones = shape.kernel.map { _ in 1 }
    let isTucker = settings.usesTucker && shape.kernel.contains { $0 != 1 }
    var values = [
      up: settings.usesScalar
        ? Tensor(kaiming: Shape([shape.rows, rank] + ones), using: &generator)
        : Tensor(zeros: Shape([shape.rows, rank] + ones)),
      down: Tensor(
        kaiming: Shape(
          isTucker ? [rank, shape.inputs] + ones : [rank] + shape.dimensions.dropFirst()),
        using: &generator),
    ]
    if isTucker {
      values[mid] = Tensor(kaiming: Shape([rank, rank] + shape.kernel), using: &generator)
    }
    return Factors(values, scale: settings.scale)
  }
}
