package import LinearAlgebra
package import Tensors

/// An algorithm that trains its factors in blocks of ranks, of which a step trains one: those before it are
/// constants, those behind it take no part.
package protocol BlockwiseAlgorithm: TrainableAlgorithm {
  /// A factor as blocks of `size` ranks, in their order.
  /// - Precondition: `size` divides the rank.
  static func blocks(of factor: Tensor, _ suffix: String, size: Int) -> [Tensor]

  /// The factor that blocks make, the first ones or all.
  static func joined<V: TensorAlgebra>(_ blocks: [V], _ suffix: String) -> V

  /// What the product of the first `count` blocks is multiplied by.
  /// - Parameter alpha: as a file of all blocks has it.
  static func scale(alpha: Float, size: Int, count: Int) -> Float
}
