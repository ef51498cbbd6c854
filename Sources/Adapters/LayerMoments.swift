package import Tensors

/// Second moments E[x·xᵀ] of what a layer reads, over the places of its inputs, and of what becomes of its outputs.
///
/// What a convolution reads at a place is a patch of in · kernel numbers. Its moment is held whole, or as the product of
/// that of channels and that of the places under the kernel, E[x(c, p)·x(c', p')] ≈ inputs[c, c'] · kernel[p, p'], which
/// takes a kernel² less.
package struct LayerMoments: Equatable, Sendable {
  /// `[n, n]`, symmetric: n inputs of a linear layer, channels of a convolution, or all in · kernel numbers of a patch,
  /// channels before kernel.
  package let inputs: Tensor
  /// `[k, k]` for a kernel of k places, symmetric with a mean of 1 on its diagonal; nil where `inputs` is whole.
  package let kernel: Tensor?
  /// E[g·gᵀ] over places, `[out, out]`: g is the gradient, by the outputs at a place, of a random sum of the model's
  /// prediction, whose terms have factors of mean 0 and of the variance that an error of the prediction counts. nil where
  /// all outputs count alike.
  package let gradients: Tensor?
  /// At how many places the layer reads in one sample, on average.
  package let places: Double

  package init(
    inputs: Tensor, kernel: Tensor? = nil, gradients: Tensor? = nil, places: Double = 1
  ) {
    self.inputs = inputs
    self.kernel = kernel
    self.gradients = gradients
    self.places = places
  }

  /// Whether every number of a patch has its row.
  package var isWhole: Bool { kernel == nil }

  /// The nearest product in partial sums: channels with channels at equal places, and places with places of equal
  /// channels (both exact, where it is one).
  /// - Parameter size: places under the kernel.
  package func product(kernel size: Int) -> LayerMoments {
    guard isWhole, size > 1 else { return self }
    let count = inputs.shape.rows / size
    var channels = [Double](repeating: 0, count: count * count)
    var kernel = [Double](repeating: 0, count: size * size)
    let source = inputs.elements.span
    for c in 0..<count {
      for p in 0..<size {
        let row = (c * size + p) * count * size
        for d in 0..<count { channels[c * count + d] += Double(source[row + d * size + p]) }
        for q in 0..<size { kernel[p * size + q] += Double(source[row + c * size + q]) }
      }
    }
    let trace = (0..<count).reduce(0) { $0 + channels[$1 * count + $1] }
    return LayerMoments(
      inputs: Tensor([count, count], channels.map { Float($0 / Double(size)) }),
      kernel: Tensor(
        [size, size], kernel.map { trace > 0 ? Float($0 * Double(size) / trace) : 0 }),
      gradients: gradients, places: places)
  }
}
