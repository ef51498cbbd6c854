package import LinearAlgebra
import Tensors

extension AdapterDelta {
  /// ‖ΔW‖_F. Of a product U·V by the r×r matrices UᵀU and VVᵀ: ‖UV‖² = Σ (UᵀU ⊙ VVᵀ).
  ///
  /// - Complexity: O((m + n) r²)
  /// - Throws: `LinearAlgebraError` if LAPACK does not converge.
  package func norm() throws(LinearAlgebraError) -> Double {
    switch self {
    case .whole(let tensor): return tensor.sumOfSquares.squareRoot()
    case .product(let left, let right):
      let (a, b) = (left.transposedMatmul(left), right.matmulTransposed(right))
      var square = 0.0
      for i in 0..<a.count { square += Double(a.elements[i]) * Double(b.elements[i]) }
      // The sum cannot exceed ‖UᵀU‖·‖VVᵀ‖. Far below it terms cancel, and f32 has lost the rest.
      let bound = (a.sumOfSquares * b.sumOfSquares).squareRoot()
      guard square < 0.01 * bound else { return square.squareRoot() }
      return try Tensor.squaredNorm(ofProduct: left, right).squareRoot()
    }
  }

  /// All singular values of ΔW, descending. Those of a product are the values of the r×r core of its
  /// factors' QR decompositions.
  ///
  /// - Complexity: O((m + n) r²) for a product
  /// - Throws: `LinearAlgebraError` if a number is not finite or LAPACK does not converge.
  package func singularValues() throws(LinearAlgebraError) -> [Float] {
    switch self {
    case .whole(let tensor): return try tensor.reshaped(tensor.shape.asMatrix).singularValues()
    case .product(let left, let right):
      return try Tensor.core(ofProduct: left, right).singularValues()
    }
  }
}
