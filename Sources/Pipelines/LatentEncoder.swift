package import Tensors

/// What turns pictures into latents: the encoder of an autoencoder.
package protocol LatentEncoder {
  /// A hash of its weights, by which kept latents know whose they are.
  var identity: String { get }

  /// Mean and logarithm of the variance, both `[batch, height / stride, width / stride, channels]`,
  /// not scaled.
  /// - Parameter pictures: `[batch, height, width, 3]` from -1 to 1
  func encode(_ pictures: Tensor) throws -> (mean: Tensor, logVariance: Tensor)
}
