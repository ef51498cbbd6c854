/// What the weights of a Stable Diffusion 3 do not tell about it.
package struct StableDiffusion3Configuration: Hashable, Sendable {
  /// Where queries and keys are not normalized; where they are, the norms have the width of a head.
  package var heads = HeadRule.width(64)
  package var epsilon: Float = 1e-6
  /// Whether modulations of two parts have the scale before the shift, as diffusers writes them.
  package var scalesFirst = false

  package init() {}
}
