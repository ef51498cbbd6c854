/// What is known of an autoencoder of pictures before a weight is read. It encodes; not all that do decode.
package struct AutoencoderOutline: Hashable, Sendable {
  /// Whether latents become pictures.
  package let hasDecoder: Bool
  /// Weights of the encoder, which is held in f32.
  package let encoderCount: Int
  /// Weights of the decoder, and the numbers that it holds at a time for each pixel.
  package let decoderCount, decoderWidth: Int

  package init(
    hasDecoder: Bool, encoderCount: Int = 0, decoderCount: Int = 0, decoderWidth: Int = 0
  ) {
    self.hasDecoder = hasDecoder
    self.encoderCount = encoderCount
    self.decoderCount = decoderCount
    self.decoderWidth = decoderWidth
  }
}
