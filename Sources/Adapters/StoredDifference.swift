package import LinearAlgebra
package import Tensors

/// An algorithm that stores the change of a weight as it is: W' = W + multiplier · difference.
///
/// The change of the bias may accompany it or stand alone; it is applied by the same formula, with
/// the bias in place of W.
package protocol StoredDifference: AdditiveAlgorithm {
  /// Suffix of the change of the weight.
  static var difference: String { get }
  /// Suffix of the change of the bias.
  static var biasDifference: String { get }
}

/// Not a tensor of a file: what a difference stored as F64 holds beyond f32, see `SplitTensor`.
package let lowPart = "difference (low part)"

extension StoredDifference {
  package static var suffixes: [FactorSuffix] {
    [FactorSuffix(difference), FactorSuffix(biasDifference)]
  }

  package static var markers: Set<String> { [difference, biasDifference] }

  package static func rowSuffixes(of shapes: [String: Shape]) -> [String]? {
    [difference, lowPart]
  }

  package static func rank(of shapes: [String: Shape]) -> Int? { nil }

  package static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError) {
    guard let found = shapes[difference] else { return }
    guard found.rows == base.rows, found.columns == base.columns else {
      throw .factorShape(difference, expected: "\(base)", found: found)
    }
  }

  package static func weightShape(of shapes: [String: Shape]) -> Shape? { shapes[difference] }

  package static func delta(of factors: Factors<Tensor>) throws(AdapterError) -> AdapterDelta {
    .whole(try factors.require(difference))
  }

  package static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V {
    guard let difference = factors[difference] else { return base }
    let shape = base.shape
    let weight = base.adding(difference.reshaped(shape), times: multiplier)
    guard let low = factors[lowPart] else { return weight }
    return weight.adding(low.reshaped(shape), times: multiplier)
  }

  package static func initialFactors(
    for base: BaseWeight, _ settings: AdapterSettings, using generator: inout SeededGenerator
  ) throws(AdapterError) -> Factors<Tensor> {
    Factors([difference: Tensor(zeros: base.shape)])
  }
}
