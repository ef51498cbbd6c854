package import LinearAlgebra
package import Tensors

/// ΔW = (alpha / rank) · (P · diag(λ) · Q − W_r): a change of the singular vectors of the weight, from
/// which what training started with is subtracted.
///
/// Shapes: `p_layer.weight` `[out, rank]`, `q_layer.weight` `[rank, in]`, `lambda_layer` `[1, rank]`.
/// The subtracted term is not in the file. Where training started from the leading singular vectors
/// (`sig_type=principal`, the default), it is W_r, the truncation of W to that rank; where it
/// started from others or from noise it cannot be found again, so a user has to vouch for it. The
/// mask that training lays over the ranks of early steps leaves all of them at the last.
///
/// Sources: Soboleva et al. 2025, arXiv 2507.05964; LyCORIS `modules/tlora.py`.
package enum TLoRA: AdapterAlgorithm {
  package static let name = "tlora"

  package static let down = "q_layer.weight"
  package static let up = "p_layer.weight"
  package static let values = "lambda_layer"
  /// What training started with, `[out, rank]` and `[rank, in]`, as it has them: never in a file.
  package static let startUp = "start (up)"
  package static let startDown = "start (down)"

  package static let suffixes = [down, up, values].map { FactorSuffix($0) }
  package static let markers: Set<String> = [down, up, values]
  package static let assertion: Assertion? = .principalSingularVectors

  package static func rank(of shapes: [String: Shape]) -> Int? { shapes[down]?.rows }

  package static func rowSuffixes(of shapes: [String: Shape]) -> [String]? { nil }

  package static func check(_ shapes: [String: Shape], base: Shape) throws(AdapterError) {
    let down = try shapes.require(down)
    try shapes.require(up).expect([base.rows, down.rows], of: up)
    // Over a kernel, LyCORIS keeps a part of the vectors that is no truncation of the weight.
    try down.expect([down.rows, base.columns], of: Self.down)
    let values = try shapes.require(values)
    guard values.count == down.rows else {
      throw .factorShape(Self.values, expected: "[1, \(down.rows)]", found: values)
    }
  }

  package static func hasNoEffect(whereZero suffixes: Set<String>) -> Bool { false }

  package static func weightShape(of shapes: [String: Shape]) -> Shape? {
    guard let up = shapes[up], let down = shapes[down] else { return nil }
    return Shape([up.rows] + down.dimensions.dropFirst())
  }

  package static func adaptedWeight<V: TensorAlgebra>(
    _ base: consuming V, _ factors: Factors<V>, multiplier: Float
  ) throws(AdapterError) -> V {
    let (up, down) = (try factors.require(up), try factors.require(down))
    let values = try factors.require(values)
    let shape = base.shape
    let matrix = base.reshaped(shape.asMatrix)
    let strength = multiplier * factors.scale
    let begun: V
    if let startUp = factors[startUp], let startDown = factors[startDown] {
      begun = matrix.adding(product: startUp, startDown, times: -strength)
    } else {
      let start = matrix.truncated(toRank: down.shape.rows)
      begun = matrix.adding(start, times: -strength)
    }
    return begun.adding(
      product: up.reshaped(up.shape.asMatrix),
      down.reshaped(down.shape.asMatrix).scaledRows(by: values), times: strength
    ).reshaped(shape)
  }

  package static func initialFactors(
    for base: BaseWeight, _ settings: AdapterSettings, using generator: inout SeededGenerator
  ) throws(AdapterError) -> Factors<Tensor> {
    let matrix = base.tensor.reshaped(base.shape.asMatrix)
    let svd: SVD
    do {
      svd = try matrix.truncatedSVD(rank: settings.rank)
    } catch {
      throw .settings("tlora", expected: "a weight with singular vectors", found: "\(error)")
    }
    return Factors(
      [up: svd.u, down: svd.vt, values: Tensor([1, svd.rank], svd.s)], scale: settings.scale)
  }
}
