/// How much noise each of 1000 timesteps adds, as schedulers of diffusers have it.
package struct NoiseBetas: Hashable, Sendable {
  package let first, last: Double
  /// Whether the roots are evenly spaced between the two (`scaled_linear`), not the values (`linear`).
  package let isScaled: Bool

  package init(from first: Double, to last: Double, isScaled: Bool) {
    self.first = first
    self.last = last
    self.isScaled = isScaled
  }

  /// Those of Stable Diffusion 1, 2 and XL.
  package static let standard = NoiseBetas(from: 0.00085, to: 0.012, isScaled: true)
}
