/// What the weights of an image autoencoder do not tell about it.
package struct VAEConfiguration: Hashable, Sendable {
  /// Groups of every group norm.
  package var groups: Int
  /// By which latents are multiplied before the UNet sees them.
  package var scale: Float
  /// What is taken from them before.
  package var shift: Float
  /// Whether the logarithm of the variance is kept between -30 and 20, as diffusers and the first autoencoders have it.
  package var clampsVariance: Bool

  package init(
    groups: Int = 32, scale: Float = 0.18215, shift: Float = 0, clampsVariance: Bool = true
  ) {
    self.groups = groups
    self.scale = scale
    self.shift = shift
    self.clampsVariance = clampsVariance
  }
}
