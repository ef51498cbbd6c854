import LinearAlgebra
import Tensors

extension TensorAlgebra {
  /// A weight `[out, in, kernel…]` as `[in, out, kernel]`, whose rows are its input channels.
  func inputsFirst() -> Self {
    reshaped([shape.rows, shape.inputs, shape.kernel.reduce(1, *)]).swappedFirstAxes()
  }

  /// The inverse of `inputsFirst` for a weight of the given shape.
  func outputsFirst(_ weight: Shape) -> Self {
    reshaped([weight.inputs, weight.rows, weight.kernel.reduce(1, *)]).swappedFirstAxes()
      .reshaped(weight)
  }

  /// A weight `[out, in, kernel…]` as the matrix `[out · kernel, in]`.
  func channelsLast() -> Self {
    let size = shape.kernel.reduce(1, *)
    return reshaped([shape.rows, shape.inputs, size]).swappedLastAxes()
      .reshaped([shape.rows * size, shape.inputs])
  }
}
