package import LinearAlgebra
package import Tensors

/// The change of a weight as a product of two matrices, never multiplied out.
package struct LowRankChange: Sendable {
  /// The weight that changes, `[out, in, kernel…]`.
  package let weight: Shape
  /// `[out, rank]`, with every scale in it.
  package let up: Tensor
  /// `[rank, in · kernel]`
  package let down: Tensor

  /// - Precondition: up and down multiply to the weight as a matrix.
  package init(of weight: Shape, up: Tensor, down: Tensor) {
    precondition(
      up.shape.rows == weight.rows && down.shape.columns == weight.columns
        && up.shape.columns == down.shape.rows,
      "\(up.shape) · \(down.shape) for the weight \(weight)")
    self.weight = weight
    self.up = up.reshaped(up.shape.asMatrix)
    self.down = down.reshaped(down.shape.asMatrix)
  }

  /// UΣ times Vᵀ.
  package init(of weight: Shape, _ svd: SVD) {
    self.init(of: weight, up: svd.scaledLeft, down: svd.vt)
  }

  /// The inner extent, which the rank of the change may fall short of.
  package var rank: Int { down.shape.rows }

  /// As LoRA of scale 1, in the shapes of a layer or convolution.
  package var factors: Factors<Tensor> {
    Factors([
      LoRA.up: up.reshaped(LoRA.upShape(rank: rank, for: weight)),
      LoRA.down: down.reshaped(Shape([rank] + weight.dimensions.dropFirst())),
    ])
  }

  /// The change multiplied out, of the shape of the weight.
  package var delta: Tensor { up.matmul(down).reshaped(weight) }

  /// The singular triplets of the change, by QR of both factors and an SVD of their core.
  /// - Complexity: O((out + in·kernel)·rank²)
  /// - Throws: `LinearAlgebraError` if a factor is not finite or LAPACK does not converge.
  package func svd() throws(LinearAlgebraError) -> SVD { try SVD(ofProduct: up, down) }
}
