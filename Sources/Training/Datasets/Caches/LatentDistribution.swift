package import Tensors

/// What the VAE makes of an image: a normal distribution of latents, or one sample of it where only that was
/// kept. Latents are not scaled.
package struct LatentDistribution: Equatable, Sendable {
  /// `[height, width, channels]`
  package let mean: Tensor
  /// As `mean`; nil if `mean` is a sample itself.
  package let logVariance: Tensor?

  package init(mean: Tensor, logVariance: Tensor?) {
    self.mean = mean
    self.logVariance = logVariance
  }

  /// A sample, drawn with the given numbers.
  package func sample(using generator: consuming CounterGenerator) -> Tensor {
    guard let logVariance else { return mean }
    var generator = consume generator
    var sample = Tensor(normal: mean.shape, using: &generator)
    sample.elements.formSample(mean.elements, logVariance.elements)
    return sample
  }

  /// The part of an encoder's result that is of one image.
  package init(_ index: Int, of encoded: (mean: Tensor, logVariance: Tensor)) {
    let shape = Shape(Array(encoded.mean.shape.dimensions.dropFirst()))
    self.init(
      mean: encoded.mean.rows(index..<index + 1).reshaped(shape),
      logVariance: encoded.logVariance.rows(index..<index + 1).reshaped(shape))
  }
}

extension [Float] {
  /// Turns normal numbers into those of a distribution.
  fileprivate mutating func formSample(_ mean: [Float], _ logVariance: [Float]) {
    let (mean, logVariance) = (mean.span, logVariance.span)
    var values = mutableSpan
    for i in 0..<values.count {
      // The bounds of diffusers' DiagonalGaussianDistribution.
      let bounded = Swift.max(-30, Swift.min(20, logVariance[i]))
      values[i] = mean[i] + exponential(bounded / 2) * values[i]
    }
  }
}

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

private func exponential(_ x: Float) -> Float { exp(x) }
