/// What the weights of an image autoencoder do not tell about it.
package struct VAEConfiguration: Hashable, Sendable {
  /// Groups of every group norm.
  package var groups: Int
  /// By which latents are multiplied before the UNet sees them.
  package var scale: Float
  /// What is taken from them before.
  package var shift: Float

  package init(groups: Int = 32, scale: Float = 0.18215, shift: Float = 0) {
    self.groups = groups
    self.scale = scale
    self.shift = shift
  }
}
