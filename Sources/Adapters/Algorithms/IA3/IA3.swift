package import LinearAlgebra
package import Tensors

/// W' = W · (1 + multiplier · w), one factor for every output or for every input channel.
///
/// Shapes: w `[out]` or `[in]`, with axes of extent 1 around it for a convolution; `on_input`, a
/// scalar, says which.
///
/// Sources: Liu et al. 2022, arXiv 2205.05638; LyCORIS `modules/ia3.py`, whose own loader cannot read
/// these files.
package enum IA3: AdapterAlgorithm {
  package static let name = "ia3"
  package static let aliases = ["(ia)3"]

  package static let weight = "weight"
  package static let side = "on_input"

  package static let suffixes = [FactorSuffix(weight, needsMarker: true), FactorSuffix(side)]
  package static let markers: Set<String> = [side]

  package static func rank(of shapes: [String: Shape]) -> Int? { nil }

  package static func rowSuffixes(of shapes: [String: Shape]) -> [String]? {
    shapes[weight].map { isOfOutputs($0) ? [weight] : [] }
  }

  /// Normalized, factors of outputs are a column `[out, 1]` and those of inputs a vector `[in]`.
  private static func isOfOutputs(_ normalized: Shape) -> Bool { normalized.dimensions.count == 2 }

  package static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError) {
    let weight = try shapes.require(weight)
    guard shapes[side] != nil else { throw .missingFactor(side) }
    guard weight.count == base.rows || weight.count == base.inputs else {
      throw .factorShape(
        Self.weight, expected: "[\(base.rows)] or [\(base.inputs)]", found: weight)
    }
  }

  package static func check(_ shapes: [String: Shape]) throws(AdapterError) {
    let count = shapes[weight]?.count ?? 0
    try check(shapes, base: [count, count])
  }

  package static func hasNoEffect(whereZero suffixes: Set<String>) -> Bool {
    suffixes.contains(weight)
  }

  package static func weightShape(of shapes: [String: Shape]) -> Shape? { nil }

  package static func normalized(
    _ factors: Factors<Tensor>, for base: Shape
  ) throws(AdapterError) -> Factors<Tensor> {
    guard let side = factors[side] else { return factors }
    let weight = try factors.require(weight)
    let onInput = side.elements.first.map { $0 != 0 } ?? false
    let expected = onInput ? base.inputs : base.rows
    guard weight.count == expected else {
      throw .factorShape(
        Self.weight, expected: "[\(expected)], one for every \(onInput ? "input" : "output")",
        found: weight.shape)
    }
    return Factors([Self.weight: weight.reshaped(onInput ? [expected] : [expected, 1])])
  }

  package static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V {
    let scales = try factors.require(weight)
    let shape = base.shape
    if isOfOutputs(scales.shape) {
      return base.adding((copy base).scaledRows(by: scales), times: multiplier)
    }
    let channels = base.inputsFirst()
    return channels.adding((copy channels).scaledRows(by: scales), times: multiplier)
      .outputsFirst(shape)
  }

  package static func initialFactors(
    for base: BaseWeight, _ settings: AdapterSettings, using generator: inout SeededGenerator
  ) throws(AdapterError) -> Factors<Tensor> {
    let shape: Shape = settings.scalesInput ? [base.shape.inputs] : [base.shape.rows, 1]
    return Factors([weight: Tensor(zeros: shape)])
  }
}
