/// How shares of noise are moved toward noise where a model finds the flow from latents to noise.
///
/// Source: Esser et al. 2024, "Scaling rectified flow transformers for high-resolution image synthesis", section 5.3.2.
package enum FlowShift {
  /// s t / (1 + (s − 1) t)
  /// - Parameters:
  ///   - share: t, 0 to 1.
  ///   - shift: s, above 0; 1 moves nothing.
  package static func moved(_ share: Double, by shift: Double) -> Double {
    shift * share / (1 + (shift - 1) * share)
  }
}
