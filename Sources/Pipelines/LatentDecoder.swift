package import Tensors

/// What turns latents into pictures: the decoder of an autoencoder.
package protocol LatentDecoder {
  /// Pictures `[batch, height · stride, width · stride, 3]`, about from -1 to 1: not cut off there.
  ///
  /// Large pictures take no more memory than the decoder was made for.
  /// - Parameter latents: `[batch, height, width, channels]`, not scaled (`LatentLayout.unscaled`).
  func decode(_ latents: Tensor) throws -> Tensor
}
