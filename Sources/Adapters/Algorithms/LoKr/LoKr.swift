package import LinearAlgebra
package import Tensors

/// ΔW = scale · w1 ⊗ w2, a Kronecker product, either side stored whole or as a product of its own.
///
/// Shapes: w1 `[a, c]`, or w1_a `[a, rank]` · w1_b `[rank, c]`; w2 `[b, d, kernel…]`, or w2_a
/// `[b, rank]` · w2_b `[rank, d · kernel]`, for a weight `[a·b, c·d, kernel…]`. In the Tucker form t2
/// is `[rank, rank, kernel…]`, w2_a `[rank, b]` and w2_b `[rank, d]`. The scale is alpha / rank, and 1
/// where neither side is a product, whatever alpha says. How a weight was divided is read from the
/// shapes, never from a factor.
///
/// Sources: Edalati et al. 2022, arXiv 2212.10650 (KronA); Yeh et al. 2023, arXiv 2309.14859;
/// LyCORIS `modules/lokr.py`. LyCORIS' merge applies the scale twice, its training once.
package enum LoKr: AdditiveAlgorithm {
  package static let name = "lokr"

  package static let w1 = "lokr_w1"
  package static let w1Left = "lokr_w1_a"
  package static let w1Right = "lokr_w1_b"
  package static let w2 = "lokr_w2"
  package static let w2Left = "lokr_w2_a"
  package static let w2Right = "lokr_w2_b"
  package static let core = "lokr_t2"

  package static let suffixes =
    [w1, w1Left, w1Right, w2, w2Left, w2Right, core].map { FactorSuffix($0) }
    + [scalarSuffix, fixedScaleSuffix] + WeightDecomposition.suffixes
  package static let markers: Set<String> = [w1, w1Left, w1Right, w2, w2Left, w2Right]

  /// A row of W belongs to a row of w1 and one of w2 at once.
  package static func rowSuffixes(of shapes: [String: Shape]) -> [String]? { nil }

  package static func rank(of shapes: [String: Shape]) -> Int? {
    (shapes[w2Right] ?? shapes[w1Right])?.rows
  }

  package static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError) {
    let (a, c) = try outer(of: shapes)
    let (b, d) = try inner(of: shapes, kernel: base.kernel)
    let found: Shape = [Shape.product([a, b]), Shape.product([c, d])]
    guard found == base.asMatrix else {
      throw .factorShape(
        shapes[w2] == nil ? w2Left : w2,
        expected: "w1 ⊗ w2 of \(base.asMatrix)", found: found)
    }
  }

  /// The extents of w1.
  private static func outer(of shapes: [String: Shape]) throws(AdapterError) -> (Int, Int) {
    if let whole = shapes[w1] { return (whole.rows, whole.columns) }
    guard shapes[w1Left] != nil || shapes[w1Right] != nil else { throw .missingFactor(w1) }
    let left = try shapes.require(w1Left)
    let right = try shapes.require(w1Right)
    try left.expect([left.rows, right.rows], of: w1Left)
    return (left.rows, right.columns)
  }

  /// The extents of w2 as a matrix.
  private static func inner(
    of shapes: [String: Shape], kernel: [Int]
  ) throws(AdapterError) -> (Int, Int) {
    if let whole = shapes[w2] { return (whole.rows, whole.columns) }
    guard shapes[w2Left] != nil || shapes[w2Right] != nil else { throw .missingFactor(w2) }
    let left = try shapes.require(w2Left)
    let right = try shapes.require(w2Right)
    guard let core = shapes[core] else {
      try left.expect([left.rows, right.rows], of: w2Left)
      return (left.rows, right.columns)
    }
    try core.expectCore(between: left, right, kernel: kernel, of: Self.core)
    return (left.columns, Shape.product([right.columns] + kernel))
  }

  package static func weightShape(of shapes: [String: Shape]) -> Shape? {
    let kernel = (shapes[w2] ?? shapes[core])?.kernel ?? []
    guard let (a, c) = try? outer(of: shapes), let (b, d) = try? inner(of: shapes, kernel: kernel)
    else { return nil }
    let columns = Shape.product([c, d]) / max(Shape.product(kernel), 1)
    return Shape([Shape.product([a, b]), columns] + kernel)
  }

  package static func delta(of factors: Factors<Tensor>) throws(AdapterError) -> AdapterDelta {
    .whole((try outer(of: factors) * factors.scale).kronecker(try inner(of: factors)))
  }

  package static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V {
    let shape = base.shape
    return base.reshaped(shape.asMatrix).adding(
      kronecker: try outer(of: factors), try inner(of: factors), times: multiplier * factors.scale
    ).reshaped(shape)
  }

  /// w1 `[a, c]`
  package static func outer<V: TensorAlgebra>(of factors: Factors<V>) throws(AdapterError) -> V {
    if let whole = factors[w1] { return whole.reshaped(whole.shape.asMatrix) }
    return try factors.require(w1Left).matmul(try factors.require(w1Right))
  }

  /// w2 `[b, d · kernel]`
  static func inner<V: TensorAlgebra>(of factors: Factors<V>) throws(AdapterError) -> V {
    if let whole = factors[w2] { return whole.reshaped(whole.shape.asMatrix) }
    let (left, right) = try innerMatrices(of: factors)
    return left.matmul(right)
  }

  /// The factors of w2, a core absorbed: `[b, rank]` and `[rank, d · kernel]`.
  package static func innerMatrices<V: TensorAlgebra>(
    of factors: Factors<V>
  ) throws(AdapterError) -> (left: V, right: V) {
    let (left, right) = (try factors.require(w2Left), try factors.require(w2Right))
    guard let core = factors[core] else { return (left, right) }
    return (left.transposed(), LoRA.absorbing(core, into: right))
  }

  /// Shapes of the first factors of a weight.
  package static func initialShapes(
    for weight: Shape, _ settings: AdapterSettings
  ) -> [String: Shape] {
    let layout = KroneckerLayout(
      for: weight, factor: settings.factor, isUnbalanced: settings.isUnbalanced)
    let (rank, kernel) = (settings.rank, weight.kernel)
    let divides = settings.usesFullMatrix ? (outer: false, inner: false) : layout.divides(at: rank)
    var shapes: [String: Shape] = [:]
    if settings.decomposesBoth && divides.outer {
      shapes[w1Left] = [layout.outer.rows, rank]
      shapes[w1Right] = [rank, layout.outer.columns]
    } else {
      shapes[w1] = layout.outer
    }
    let (b, d) = (layout.inner.rows, layout.inner.columns)
    if !divides.inner {
      shapes[w2] = Shape([b, d] + kernel)
    } else if settings.usesTucker && kernel.contains(where: { $0 != 1 }) {
      shapes[core] = Shape([rank, rank] + kernel)
      shapes[w2Left] = [rank, b]
      shapes[w2Right] = [rank, d]
    } else {
      shapes[w2Left] = [b, rank]
      shapes[w2Right] = [rank, Shape.product([d] + kernel)]
    }
    return shapes
  }

  package static func initialFactors(
    for base: BaseWeight, _ settings: AdapterSettings, using generator: inout SeededGenerator
  ) throws(AdapterError) -> Factors<Tensor> {
    let shapes = initialShapes(for: base.shape, settings)
    // The last factor begins with zeros, unless a scalar does.
    let last = shapes[w2] == nil ? w2Right : w2
    var values: [String: Tensor] = [:]
    // In an order that does not change, as numbers are drawn in it.
    for suffix in [w1Left, w1Right, w1, core, w2Left, w2Right, w2] {
      guard let shape = shapes[suffix] else { continue }
      values[suffix] =
        suffix == last && !settings.usesScalar
        ? Tensor(zeros: shape) : Tensor(kaiming: shape, using: &generator)
    }
    let isProduct = values[w1] == nil || values[w2] == nil
    return Factors(values, scale: isProduct ? settings.scale : 1)
  }
}
