import LinearAlgebra
import Tensors

/// What W·A can be for a weight W and bounded A: W·T = Q for a matrix Q of the left singular vectors
/// of W, those of small singular values damped.
///
/// The best A of rank r for min ‖E − W·A‖² + λ‖A‖² is T·C, where C is the truncated SVD of Qᵀ·E: it
/// is reduced-rank regression (Izenman 1975) of E, extended by zeros, on W, extended by √λ·I, whose
/// singular values are √(s² + λ). The ridge takes the place of a cut: rounding A to a format of unit
/// roundoff u changes W·A by u·‖A‖·‖W‖/√in or so, and λ is the square of that per ‖A‖².
struct ColumnSpace: Sendable {
  /// W with channels last, `[out · kernel, in]`.
  let weight: Tensor
  /// Q, `[out · kernel, d]` for d = min(out · kernel, in).
  let basis: Tensor
  /// T, `[in, d]`
  let coordinates: Tensor
  /// λ
  let penalty: Double

  /// - Complexity: O(out · kernel · in²)
  /// - Throws: `LinearAlgebraError` if W is not finite or LAPACK does not converge.
  init(of base: Tensor, storage: DType) throws(LinearAlgebraError) {
    weight = base.channelsLast()
    let roundoff = Self.roundoff(of: storage)
    let penalty = roundoff * roundoff * weight.sumOfSquares / Double(max(weight.shape.columns, 1))
    self.penalty = penalty
    let (values, vectors) = try weight.rightSingularVectors()
    var coordinates = vectors.transposed()
    coordinates.scaleColumns(
      by: values.map { value in
        let norm = (Double(value) * Double(value) + penalty).squareRoot()
        return norm > 0 ? Float(1 / norm) : 0
      })
    self.coordinates = coordinates
    // As a product, so that what a basis vector stands for is what W makes of its coordinates, to
    // single precision, also where it is nearly cancelled.
    basis = weight.matmul(coordinates)
  }

  /// That of a format; of f32 what bounds A.
  private static func roundoff(of storage: DType) -> Double {
    switch storage {
    case .f64, .f32: 1e-4
    case .f16: 0x1p-11
    case .bf16: 0x1p-8
    default: 0x1p-4
    }
  }
}
