package import LinearAlgebra
package import Tensors

/// ΔW = (alpha / rank) · (w1_a · w1_b) ⊙ (w2_a · w2_b): two products of low rank, multiplied element
/// by element, which reaches rank² with the numbers of 2 · rank.
///
/// Shapes: wX_a `[out, rank]`, wX_b `[rank, in / groups · kernel]`. In the Tucker form tX is
/// `[rank, rank, kernel…]`, wX_a `[rank, out]` and wX_b `[rank, in]`, and each product becomes
/// Σ tX[i, j, k] wX_a[i, p] wX_b[j, q].
///
/// Sources: Hyeon-Woo, Ye-Bin and Oh 2022, arXiv 2108.06098 (FedPara); Yeh et al. 2023, arXiv
/// 2309.14859; LyCORIS `modules/loha.py`. LyCORIS' merge applies the scale twice, its training once.
package enum LoHa: AdditiveAlgorithm {
  package static let name = "loha"

  /// The suffixes of one of the two products.
  struct Side: Sendable {
    let left, right, core: String
  }

  static let first = Side(left: "hada_w1_a", right: "hada_w1_b", core: "hada_t1")
  static let second = Side(left: "hada_w2_a", right: "hada_w2_b", core: "hada_t2")

  package static let suffixes =
    [first, second].flatMap { [$0.left, $0.right, $0.core] }.map { FactorSuffix($0) }
    + [scalarSuffix, fixedScaleSuffix] + WeightDecomposition.suffixes
  package static let markers = Set([first, second].flatMap { [$0.left, $0.right] })

  package static func rowSuffixes(of shapes: [String: Shape]) -> [String]? {
    // The Tucker form has the outputs on the second axis.
    shapes[first.core] == nil && shapes[second.core] == nil ? [first.left, second.left] : nil
  }

  package static func rank(of shapes: [String: Shape]) -> Int? { shapes[first.right]?.rows }

  package static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError) {
    for side in [first, second] {
      let left = try shapes.require(side.left)
      let right = try shapes.require(side.right)
      guard let core = shapes[side.core] else {
        try left.expect([base.rows, right.rows], of: side.left)
        try right.expect([right.rows, base.columns], of: side.right)
        continue
      }
      try core.expectCore(between: left, right, kernel: base.kernel, of: side.core)
      try left.expect([left.rows, base.rows], of: side.left)
      try right.expect([right.rows, base.inputs], of: side.right)
    }
  }

  package static func weightShape(of shapes: [String: Shape]) -> Shape? {
    guard let left = shapes[first.left], let right = shapes[first.right] else { return nil }
    guard let core = shapes[first.core] else { return [left.rows, right.columns] }
    return Shape([left.columns, right.columns] + core.kernel)
  }

  package static func delta(of factors: Factors<Tensor>) throws(AdapterError) -> AdapterDelta {
    .whole((try product(first, of: factors) * (try product(second, of: factors))) * factors.scale)
  }

  package static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V {
    let shape = base.shape
    return base.reshaped(shape.asMatrix).adding(
      hadamard: try product(first, of: factors), try product(second, of: factors),
      times: multiplier * factors.scale
    ).reshaped(shape)
  }

  /// One of the two products, `[out, in · kernel]`.
  private static func product<V: TensorAlgebra>(
    _ side: Side, of factors: Factors<V>
  ) throws(AdapterError) -> V {
    let (left, right) = try matrices(side, of: factors)
    return left.matmul(right)
  }

  /// The factors of one of the two products, a core absorbed: `[out, rank]` and
  /// `[rank, in · kernel]`.
  static func matrices<V: TensorAlgebra>(
    _ side: Side, of factors: Factors<V>
  ) throws(AdapterError) -> (left: V, right: V) {
    let (left, right) = (try factors.require(side.left), try factors.require(side.right))
    guard let core = factors[side.core] else { return (left, right) }
    return (left.transposed(), LoRA.absorbing(core, into: right))
  }

  package static func initialFactors(
    for base: BaseWeight, _ settings: AdapterSettings, using generator: inout SeededGenerator
  ) throws(AdapterError) -> Factors<Tensor> {
    let shape = base.shape
    let isTucker = settings.usesTucker && shape.kernel.contains { $0 != 1 }
    let rank = settings.rank
    let left: Shape = isTucker ? [rank, shape.rows] : [shape.rows, rank]
    let right: Shape = [rank, isTucker ? shape.inputs : shape.columns]
    var values: [String: Tensor] = [
      first.left: Tensor(normal: left, deviation: 0.1, using: &generator),
      first.right: Tensor(normal: right, deviation: 1, using: &generator),
      second.left: settings.usesScalar
        ? Tensor(normal: left, deviation: 0.1, using: &generator) : Tensor(zeros: left),
      second.right: Tensor(normal: right, deviation: 1, using: &generator),
    ]
    if isTucker {
      let core = Shape([rank, rank] + shape.kernel)
      for side in [first, second] {
        values[side.core] = Tensor(normal: core, deviation: 0.1, using: &generator)
      }
    }
    return Factors(values, scale: settings.scale)
  }
}
