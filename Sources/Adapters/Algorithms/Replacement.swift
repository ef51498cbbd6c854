package import LinearAlgebra
package import Tensors

/// W' = W + multiplier · (set_weight − W): another weight in place of the base's.
///
/// Source: ComfyUI `comfy/lora.py`, which knows no strength in between. Adapters for control, which
/// come with trained scales of norms, have it.
package enum Replacement: AdapterAlgorithm {
  package static let name = "set"

  package static let weight = "set_weight"

  package static let suffixes = [FactorSuffix(weight, spelled: [".scale.set_weight"])]
  package static let markers: Set<String> = [weight]

  package static func rank(of shapes: [String: Shape]) -> Int? { nil }

  package static func rowSuffixes(of shapes: [String: Shape]) -> [String]? { [weight] }

  package static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError) {
    try shapes.require(weight).expect(base, of: weight)
  }

  package static func hasNoEffect(whereZero suffixes: Set<String>) -> Bool { false }

  package static func weightShape(of shapes: [String: Shape]) -> Shape? { shapes[weight] }

  package static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V {
    let shape = base.shape
    return base.interpolated(
      to: try factors.require(weight).reshaped(shape), by: multiplier)
  }

  package static func initialFactors(
    for base: BaseWeight, _ settings: AdapterSettings, using generator: inout SeededGenerator
  ) throws(AdapterError) -> Factors<Tensor> {
    Factors([weight: base.tensor])
  }
}
