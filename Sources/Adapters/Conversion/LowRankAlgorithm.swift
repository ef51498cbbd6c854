package import Tensors

/// An algorithm whose changes are products of low rank, so that LoRA can hold them exactly.
package protocol LowRankAlgorithm: AdditiveAlgorithm {
  /// The change of normalized factors as a product, equal but for the rounding of products in f32; nil
  /// where the factors hold something else besides.
  /// - Throws: `AdapterError` where a factor is missing, `LinearAlgebraError` where one is not finite.
  static func lowRankChange(
    of factors: Factors<Tensor>, for weight: Shape
  ) throws -> LowRankChange?
}
