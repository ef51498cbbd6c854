/// What a UNet's weights do not tell about it.
package struct UNetConfiguration: Hashable, Sendable {
  package var heads: HeadRule
  /// Groups of every group norm.
  package var groups: Int
  /// Of group norms outside of attention.
  package var epsilon: Float

  package init(heads: HeadRule, groups: Int = 32, epsilon: Float = 1e-5) {
    self.heads = heads
    self.groups = groups
    self.epsilon = epsilon
  }

  /// Stable Diffusion 1: eight heads at every width.
  package static let sd1 = UNetConfiguration(heads: .count(8))
  /// Stable Diffusion 2: heads of width 64.
  package static let sd2 = UNetConfiguration(heads: .width(64))
  /// Stable Diffusion XL: the same.
  package static let sdxl = sd2
}
