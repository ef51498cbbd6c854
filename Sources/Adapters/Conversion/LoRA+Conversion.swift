import LinearAlgebra
package import Tensors

extension LoRA: LowRankAlgorithm {
  /// At the rank of the factors, a core absorbed into down; nil beside a sparse residual.
  package static func lowRankChange(
    of factors: Factors<Tensor>, for weight: Shape
  ) throws -> LowRankChange? {
    guard case .product(let up, let down) = try delta(of: factors) else { return nil }
    return LowRankChange(of: weight, up: up, down: down)
  }

  /// A LoRA of the first `rank` columns of up and rows of down, with the alpha of all, as a DyLoRA was
  /// trained to be cut: alpha / rank grows by what the rank shrinks. Without an alpha the scale stays 1.
  ///
  /// Source: sd-scripts `networks/extract_lora_from_dylora.py`, `split_lora_model`.
  /// - Parameter rank: from 1 on; the rank of the factors at most.
  /// - Throws: `AdapterError.missingFactor`; `.settings` for a rank that the factors do not have, and for
  ///   factors with a core, whose ranks are not in any order.
  package static func sliced(
    _ factors: Factors<Tensor>, toRank rank: Int, hasAlpha: Bool
  ) throws(AdapterError) -> Factors<Tensor> {
    let (up, down) = (try factors.require(up), try factors.require(down))
    let whole = down.shape.rows
    guard factors[mid] == nil, (1...max(whole, 1)).contains(rank) else {
      throw .settings(
        "slice", expected: "a rank of 1 to \(whole), no core",
        found: factors[mid].map { "a core of \($0.shape)" } ?? "\(rank)")
    }
    var sliced = factors
    let columns = up.transposed().rows(0..<rank).transposed()
    sliced.values[Self.up] = columns.reshaped(
      Shape([up.shape.rows, rank] + up.shape.kernel))
    sliced.values[Self.down] = down.rows(0..<rank)
    if hasAlpha { sliced.scale *= Float(whole) / Float(rank) }
    return sliced
  }
}
