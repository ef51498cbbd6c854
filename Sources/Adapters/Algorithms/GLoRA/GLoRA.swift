package import LinearAlgebra
package import Tensors

/// W' = W + multiplier · (alpha / rank) · (W · a1 · a2 + b1 · b2): a change that depends on the weight,
/// and one that does not. For a convolution W · a1 · a2 acts on the input channels.
///
/// Shapes: a1 `[in, rank]`, a2 `[rank, in]`, b1 `[out, rank]`, b2 `[rank, in, kernel…]`, and with a
/// core bm `[rank, rank, kernel…]` b2 `[rank, in]`. Files of kohya's time have the names of each pair
/// exchanged: a1 `[rank, in]`, a2 `[in, rank]`, b1 `[rank, in]`, b2 `[out, rank]`.
///
/// Sources: Chavan et al. 2023, arXiv 2306.07967; LyCORIS `modules/glora.py`.
package enum GLoRA: AdapterAlgorithm {
  package static let name = "glora"

  package static let a1 = "a1.weight"
  package static let a2 = "a2.weight"
  package static let b1 = "b1.weight"
  package static let b2 = "b2.weight"
  package static let core = "bm.weight"

  package static let suffixes =
    [a1, a2, b1, b2, core].map { FactorSuffix($0) } + [scalarSuffix]
  package static let markers: Set<String> = [a1, a2, b1, b2]

  package static func rowSuffixes(of shapes: [String: Shape]) -> [String]? { [b1] }

  package static func rank(of shapes: [String: Shape]) -> Int? {
    guard let a1 = shapes[a1] else { return nil }
    return hasOldLayout(shapes) ? a1.rows : a1.columns
  }

  /// Whether the shapes are those of the old layout and cannot be those of the new one. Beside a
  /// square weight both go together; without the weight, the smaller rank is the likely one then.
  private static func hasOldLayout(_ shapes: [String: Shape], base: Shape? = nil) -> Bool {
    guard let a1 = shapes[a1], let a2 = shapes[a2], let b1 = shapes[b1], let b2 = shapes[b2] else {
      return false
    }
    if let base { return a1.rows != base.inputs || b1.rows != base.rows }
    let isNew =
      a1.rows == a2.inputs && a1.columns == a2.rows && b1.columns == a2.rows
      && b2.rows == a2.rows && b2.inputs == a1.rows
    let isOld =
      a1.inputs == a2.rows && a1.rows == a2.columns && b1.rows == a1.rows
      && b2.columns == a1.rows && b1.inputs == a1.inputs
    return isOld && (!isNew || a1.rows < a1.columns)
  }

  package static func ambiguity(in shapes: [String: Shape]) -> String? {
    let all = [a1, a2, b1, b2].compactMap { shapes[$0] }
    guard all.count == 4, Set(all.flatMap { [$0.rows, $0.columns] }).count == 1 else { return nil }
    return "rank, inputs and outputs are equal: read as LyCORIS 2 and later store GLoRA"
  }

  package static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError) {
    var shapes = shapes
    for suffix in [a1, a2, b1, b2] { _ = try shapes.require(suffix) }
    if hasOldLayout(shapes, base: base) { exchange(&shapes) }
    let a1 = try shapes.require(a1)
    let rank = a1.columns
    try a1.expect([base.inputs, rank], of: Self.a1)
    try shapes.require(a2).expect([rank, base.inputs], of: a2)
    try shapes.require(b1).expect([base.rows, rank], of: b1)
    guard let core = shapes[core] else {
      return try shapes.require(b2).expect([rank, base.columns], of: b2)
    }
    try core.expect([rank, Shape.product([rank] + base.kernel)], of: Self.core)
    try shapes.require(b2).expect([rank, base.inputs], of: b2)
  }

  package static func hasNoEffect(whereZero suffixes: Set<String>) -> Bool {
    !suffixes.isDisjoint(with: [a1, a2]) && !suffixes.isDisjoint(with: [b1, b2])
  }

  package static func weightShape(of shapes: [String: Shape]) -> Shape? {
    var shapes = shapes
    if hasOldLayout(shapes) { exchange(&shapes) }
    guard let b1 = shapes[b1], let b2 = shapes[b2] else { return nil }
    return Shape([b1.rows, b2.inputs] + (shapes[core] ?? b2).kernel)
  }

  private static func exchange<Value>(_ values: inout [String: Value]) {
    (values[a1], values[a2]) = (values[a2], values[a1])
    (values[b1], values[b2]) = (values[b2], values[b1])
  }

  package static func normalized(
    _ factors: Factors<Tensor>, for base: Shape
  ) throws(AdapterError) -> Factors<Tensor> {
    guard hasOldLayout(factors.values.mapValues(\.shape), base: base) else { return factors }
    var factors = factors
    exchange(&factors.values)
    return factors
  }

  package static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V {
    let (a1, a2) = (try factors.require(a1), try factors.require(a2))
    let (b1, b2) = (try factors.require(b1), try factors.require(b2))
    let down = factors[core].map { LoRA.absorbing($0, into: b2) } ?? b2
    let shape = base.shape
    let (inputs, size) = (shape.inputs, shape.kernel.reduce(1, *))
    let strength = multiplier * factors.scale
    let (left, right) = (a1.reshaped(a1.shape.asMatrix), a2.reshaped(a2.shape.asMatrix))
    let weight: V
    if size == 1 {
      let through = (copy base).reshaped(shape.asMatrix).matmul(left)
      weight = base.reshaped(shape.asMatrix).adding(product: through, right, times: strength)
    } else {
      // Input channels first, so that a product with a1ᵀ contracts them.
      let channels = base.inputsFirst().reshaped([inputs, shape.rows * size])
      let through = left.transposed().matmul(channels)
      weight = channels.adding(product: right.transposed(), through, times: strength)
        .outputsFirst(shape).reshaped(shape.asMatrix)
    }
    return weight.adding(
      product: b1.reshaped(b1.shape.asMatrix), down.reshaped(down.shape.asMatrix), times: strength
    ).reshaped(shape)
  }

  package static func initialFactors(
    for base: BaseWeight, _ settings: AdapterSettings, using generator: inout SeededGenerator
  ) throws(AdapterError) -> Factors<Tensor> {
    let (shape, rank) = (base.shape, settings.rank)
    func last(_ shape: Shape) -> Tensor {
      settings.usesScalar ? Tensor(kaiming: shape, using: &generator) : Tensor(zeros: shape)
    }
    return Factors(
      [
        a1: Tensor(kaiming: [shape.inputs, rank], using: &generator),
        a2: last([rank, shape.inputs]),
        b1: Tensor(kaiming: [shape.rows, rank], using: &generator),
        b2: last(Shape([rank] + shape.dimensions.dropFirst())),
      ], scale: settings.scale)
  }
}
