/// Shares of noise at which a model of the flow from latents to noise is asked, from 1 to 0.
struct FlowGrid: Hashable, Sendable {
  /// One more than there are steps.
  let shares: [Double]

  /// Equal steps, moved toward noise: s t / (1 + (s − 1) t) of t (Esser et al. 2024, "Scaling rectified flow transformers
  /// for high-resolution image synthesis", section 5.3.2).
  /// - Parameter shift: s, above 0; 1 moves nothing.
  init(steps: Int, shift: Double) {
    shares = (0...steps).map { i in
      let t = Double(steps - i) / Double(steps)
      return shift * t / (1 + (shift - 1) * t)
    }
  }
}
