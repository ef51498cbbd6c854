package import Adapters
package import Tensors

/// Moments as they were summed up, see `LayerMoments`: matrices are made of sums when they are asked for, each time anew.
package struct GatheredMoments: Sendable {
  package struct Moment: Sendable {
    package let order: Int
    private let make: @Sendable () -> Tensor

    /// - Parameter make: the matrix `[order, order]`.
    package init(order: Int, _ make: @escaping @Sendable () -> Tensor) {
      (self.order, self.make) = (order, make)
    }

    package var tensor: Tensor { make() }
  }

  package let inputs: Moment
  package let kernel: Tensor?
  package let gradients: Moment?
  package let places: Double

  package init(inputs: Moment, kernel: Tensor?, gradients: Moment?, places: Double) {
    (self.inputs, self.kernel, self.gradients, self.places) = (inputs, kernel, gradients, places)
  }

  package var moments: LayerMoments {
    LayerMoments(
      inputs: inputs.tensor, kernel: kernel, gradients: gradients?.tensor, places: places)
  }
}
