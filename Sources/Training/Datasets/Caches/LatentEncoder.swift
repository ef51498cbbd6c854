package import Tensors

/// What turns images into latents: a VAE.
package protocol LatentEncoder {
  /// Mean and logarithm of the variance, both `[batch, height / stride, width / stride, channels]`,
  /// not scaled.
  /// - Parameter images: `[batch, height, width, 3]` from -1 to 1
  func encode(_ images: Tensor) throws -> (mean: Tensor, logVariance: Tensor)
}
