package import LinearAlgebra
package import Tensors

/// W' = diag(rescale) · blockdiag(R)ᵀ · W: rotations of groups of outputs; see `Rotation`.
///
/// Shapes: `oft_blocks` `[n, b, b]` for n · b outputs; `rescale` `[out, 1…]`. kohya's `networks.oft`
/// stores the same, for Flux one tensor `oft_blocks.0` … for every part of a fused weight, each with
/// a constraint of its own. `oft_diag`, of LyCORIS before 1.9, holds R itself.
///
/// Sources: Qiu et al. 2023, arXiv 2306.07280; LyCORIS `modules/diag_oft.py`; sd-scripts
/// `networks/oft.py`, `oft_flux.py`.
package enum DiagOFT: AdapterAlgorithm {
  package static let name = "diag-oft"
  package static let aliases = ["oft"]

  static let rotations = "oft_diag"
  /// Blocks of the parts of a fused weight, in the order of its rows.
  static let parts = (0..<4).map { "\(Rotation.blocks).\($0)" }

  package static let suffixes =
    ([Rotation.blocks, Rotation.rescale, rotations] + parts).map { FactorSuffix($0) }
  package static let markers = Set([Rotation.blocks, rotations] + parts)

  package static func recognizes(_ shapes: [String: Shape]) -> Bool {
    shapes[Rotation.blocks].map { $0.dimensions.count == 3 }
      ?? !markers.isDisjoint(with: shapes.keys)
  }

  package static func rank(of shapes: [String: Shape]) -> Int? { nil }

  package static func rowSuffixes(of shapes: [String: Shape]) -> [String]? { nil }

  package static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError) {
    let blocks = stored(shapes)
    guard !blocks.isEmpty else { throw .missingFactor(Rotation.blocks) }
    for (suffix, shape) in blocks
    where shape.dimensions.count != 3 || shape.dimensions[1] != shape.dimensions[2] {
      throw .factorShape(suffix, expected: "[n, b, b]", found: shape)
    }
    guard Self.outputs(of: blocks) == base.rows else {
      throw .factorShape(
        blocks[0].suffix, expected: "[n, b, b] with n · b = \(base.rows)", found: blocks[0].shape)
    }
    try Rotation.check(rescale: shapes[Rotation.rescale], base: base)
  }

  package static func check(_ shapes: [String: Shape]) throws(AdapterError) {
    try check(shapes, base: [Self.outputs(of: stored(shapes)), 1])
  }

  /// Outputs of the weight that blocks `[n, b, b]` stand for, all together.
  private static func outputs(of blocks: [(suffix: String, shape: Shape)]) -> Int {
    blocks.reduce(0) { sum, block in
      let extents = block.shape.dimensions
      let outputs = Shape.product([extents.first ?? 1, extents.last ?? 1])
      let (value, overflow) = sum.addingReportingOverflow(outputs)
      return overflow ? .max : value
    }
  }

  package static func hasNoEffect(whereZero suffixes: Set<String>) -> Bool { false }

  package static let boundsChange = true

  private static func stored(_ shapes: [String: Shape]) -> [(suffix: String, shape: Shape)] {
    ([Rotation.blocks, rotations] + parts).compactMap { suffix in
      shapes[suffix].map { (suffix, $0) }
    }
  }

  package static func weightShape(of shapes: [String: Shape]) -> Shape? { nil }

  package static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V {
    let shape = base.shape
    var rotated: [V] = []
    var start = 0
    for rotation in try transposedRotations(of: factors) {
      let (n, b) = (rotation.shape.dimensions[0], rotation.shape.dimensions[1])
      let rows = n * b == shape.rows ? copy base : base.rows(start..<start + n * b)
      rotated.append(
        rotation.blockMatmul(rows.reshaped([n, b, shape.columns]))
          .reshaped([n * b, shape.columns]))
      start += n * b
    }
    var result = rotated.count == 1 ? rotated[0] : V.stacked(rotated)
    if let rescale = factors[Rotation.rescale] { result = result.scaledRows(by: rescale) }
    return base.interpolated(to: result.reshaped(shape), by: multiplier)
  }

  /// Rᵀ of every block, `[n, b, b]`, for each part of the weight.
  private static func transposedRotations<V: TensorAlgebra>(
    of factors: Factors<V>
  ) throws(AdapterError) -> [V] {
    if let rotations = factors[rotations] { return [rotations.swappedLastAxes()] }
    let blocks = ([Rotation.blocks] + parts).compactMap { factors[$0] }
    guard !blocks.isEmpty else { throw .missingFactor(Rotation.blocks) }
    return blocks.map { blocks in
      let outputs = blocks.shape.dimensions[0] * blocks.shape.dimensions[1]
      // The rotation by −Q is the transpose.
      return Rotation.cayley(
        blocks.swappedLastAxes(),
        constraint: Rotation.constraint(of: factors, outputs: outputs))
    }
  }

  package static func initialFactors(
    for base: BaseWeight, _ settings: AdapterSettings, using generator: inout SeededGenerator
  ) throws(AdapterError) -> Factors<Tensor> {
    let (b, n) = evenFactors(of: base.shape.rows, factor: settings.rank)
    return Rotation.initialFactors([n, b, b], for: base, settings)
  }
}
