import LinearAlgebra
import Tensors

/// Orthogonal blocks as OFT and BOFT store them, and what they have in common.
///
/// A block B stands for the rotation R = (I + Q)(I − Q)⁻¹ of the skew-symmetric Q = B − Bᵀ (Cayley
/// 1846). A constraint c > 0 bounds ‖Q‖_F over all blocks of a module together; the file's `alpha` is
/// c per output, and 0 means none.
///
/// Sources: Qiu et al. 2023, arXiv 2306.07280; LyCORIS `functional/diag_oft.py`, `get_r`.
package enum Rotation {
  package static let blocks = "oft_blocks"
  package static let rescale = "rescale"

  /// R of every block of `[…, b, b]`, as `[n, b, b]`.
  static func cayley<V: TensorAlgebra>(_ blocks: V, constraint: Float) -> V {
    let extent = blocks.shape.dimensions.last ?? 0
    let count = extent > 0 ? blocks.shape.count / (extent * extent) : 0
    let stacked = blocks.reshaped([count, extent, extent])
    var skew = stacked.adding(stacked.swappedLastAxes(), times: -1)
    if constraint > 0 { skew = skew.limited(toNorm: constraint) }
    // (I + Q)(I − Q)⁻¹ = 2 (I − Q)⁻¹ − I
    return ((skew * -1).addingDiagonal(1).inverse() * 2).addingDiagonal(-1)
  }

  /// The bound on ‖Q‖_F for a weight of so many outputs; 0 for none.
  static func constraint<V>(of factors: Factors<V>, outputs: Int) -> Float {
    max(factors.alpha ?? 0, 0) * Float(outputs)
  }

  static func check(rescale: Shape?, base: Shape) throws(AdapterError) {
    guard let rescale, rescale.count != base.rows else { return }
    throw .factorShape(Self.rescale, expected: "[\(base.rows)]", found: rescale)
  }

  /// The blocks and, where asked for, the row factors with which training starts.
  static func initialFactors(
    _ blocks: Shape, for base: BaseWeight, _ settings: AdapterSettings
  ) -> Factors<Tensor> {
    var values = [Self.blocks: Tensor(zeros: blocks)]
    if settings.rescales {
      values[rescale] = Tensor([base.shape.rows], Array(repeating: 1, count: base.shape.rows))
    }
    return Factors(values, alpha: settings.constraint)
  }
}
