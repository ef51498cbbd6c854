package import Tensors

/// Everything about an image that a step needs, once the VAE has seen it.
package struct EncodedImage: Equatable, Sendable {
  package let plain: LatentDistribution
  /// Of the mirrored image, where the subset mirrors.
  package let flipped: LatentDistribution?
  /// Weights of the loss from the alpha channel, `[height, width]` of the latents.
  package let mask: Tensor?
}
