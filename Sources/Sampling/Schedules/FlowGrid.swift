import ModelFamilies

/// Shares of noise at which a model of the flow from latents to noise is asked, from 1 to 0.
struct FlowGrid: Hashable, Sendable {
  /// One more than there are steps.
  let shares: [Double]

  /// Equal steps, moved toward noise, see `FlowShift`.
  /// - Parameter shift: s, above 0; 1 moves nothing.
  init(steps: Int, shift: Double, spacing: SamplingRules.Spacing = .whole) {
    func shifted(_ t: Double) -> Double { FlowShift.moved(t, by: shift) }
    switch spacing {
    case .whole:
      shares = (0...steps).map { shifted(Double(steps - $0) / Double(steps)) }
    case .trained:
      // Of 1000 shares the model was trained with, the least; sd-scripts and diffusers shift it twice.
      let span = 1 - shifted(1 / Double(NoiseSchedule.timestepCount))
      shares =
        (0..<steps).map { shifted(1 - span * Double($0) / Double(max(steps - 1, 1))) } + [0]
    }
  }
}
