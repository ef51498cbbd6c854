package import LinearAlgebra
package import Tensors

/// W' = diag(rescale) · Bₘ ⋯ B₁ · W: stages of rotations that mix outputs ever farther apart, as the
/// butterflies of a Fourier transform do; see `Rotation`.
///
/// Shapes: `oft_blocks` `[m, n, b, b]` for n · b outputs; `rescale` `[out, 1…]`. Stage i takes the
/// outputs in groups of 2 · 2ⁱ · b/2, pairs those half a group apart, and multiplies blocks of b by R
/// (not its transpose, as Diag-OFT does).
///
/// Sources: Liu et al. 2023, arXiv 2311.06243; LyCORIS `modules/boft.py`, `functional/boft.py`.
package enum BOFT: AdapterAlgorithm {
  package static let name = "boft"

  package static let suffixes = [Rotation.blocks, Rotation.rescale].map { FactorSuffix($0) }
  package static let markers: Set<String> = [Rotation.blocks]

  package static func recognizes(_ shapes: [String: Shape]) -> Bool {
    shapes[Rotation.blocks]?.dimensions.count == 4
  }

  package static func rank(of shapes: [String: Shape]) -> Int? { nil }

  package static func rowSuffixes(of shapes: [String: Shape]) -> [String]? { nil }

  package static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError) {
    let blocks = try shapes.require(Rotation.blocks)
    let extents = blocks.dimensions
    // A factor of m turns pairs of blocks 2^(m-1) blocks apart.
    guard extents.count == 4, extents[0] > 0, extents[2] > 0, extents[2] == extents[3],
      extents[2] % 2 == 0, Shape.product([extents[1], extents[2]]) == base.rows,
      extents[0] <= 48, base.rows % Shape.product([extents[2], 1 << (extents[0] - 1)]) == 0
    else {
      throw .factorShape(
        Rotation.blocks, expected: "[m, n, b, b] with n · b = \(base.rows) and even b",
        found: blocks)
    }
    try Rotation.check(rescale: shapes[Rotation.rescale], base: base)
  }

  package static func check(_ shapes: [String: Shape]) throws(AdapterError) {
    let extents = shapes[Rotation.blocks]?.dimensions ?? []
    try check(shapes, base: [extents.count == 4 ? Shape.product([extents[1], extents[2]]) : 0, 1])
  }

  package static func hasNoEffect(whereZero suffixes: Set<String>) -> Bool { false }

  package static let boundsChange = true

  package static func weightShape(of shapes: [String: Shape]) -> Shape? { nil }

  package static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V {
    let shape = base.shape
    let blocks = try factors.require(Rotation.blocks)
    let rotations = Rotation.cayley(
      blocks, constraint: Rotation.constraint(of: factors, outputs: shape.rows)
    ).reshaped(blocks.shape)
    func turned(_ weight: consuming V) -> V {
      let result = weight.reshaped(shape.asMatrix).butterflied(by: rotations)
      return (factors[Rotation.rescale].map { result.scaledRows(by: $0) } ?? result)
        .reshaped(shape)
    }
    // Without a copy of the weight.
    if multiplier == 1 { return turned(base) }
    return base.interpolated(to: turned(copy base), by: multiplier)
  }

  /// Stages and blocks `[m, n, b, b]` for so many outputs: the largest even b of at most `limit` that
  /// leaves a power of two, and as many stages as mix everything. nil if there is none.
  ///
  /// Source: LyCORIS `functional/general.py`, `power2factorization`.
  package static func blocks(for outputs: Int, atMost limit: Int) -> Shape? {
    var extent = min(limit < 0 ? outputs : limit, outputs) / 2 * 2
    while extent >= 2 {
      let n = outputs / extent
      if outputs % extent == 0, n & (n - 1) == 0 {
        return [n.trailingZeroBitCount + 1, n, extent, extent]
      }
      extent -= 2
    }
    return nil
  }

  package static func initialFactors(
    for base: BaseWeight, _ settings: AdapterSettings, using generator: inout SeededGenerator
  ) throws(AdapterError) -> Factors<Tensor> {
    Rotation.initialFactors(try firstBlocks(for: base.shape, settings), for: base, settings)
  }

  private static func firstBlocks(
    for weight: Shape, _ settings: AdapterSettings
  ) throws(AdapterError) -> Shape {
    guard let blocks = blocks(for: weight.rows, atMost: settings.rank) else {
      throw .settings(
        "boft",
        expected: "outputs that are an even block of at most \(settings.rank) times a power "
          + "of two", found: "\(weight.rows)")
    }
    return blocks
  }

  package static func checkFirstFactors(
    for weight: Shape, _ settings: AdapterSettings
  ) throws(AdapterError) {
    _ = try firstBlocks(for: weight, settings)
  }
}
