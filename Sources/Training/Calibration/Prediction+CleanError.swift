import Pipelines
import Sampling

extension Prediction {
  /// The most that an error of noise counts for, which at the end of a schedule goes to infinity: as much as at a noise
  /// five times as long as the picture.
  static let largestCleanError = 25.0

  /// How far off the clean latents are, squared, where a prediction is off by 1: what an error does to what is drawn, which
  /// is next to nothing where little noise is left. Of noise it is (1 − ᾱ) / ᾱ, limited; of a velocity 1 − ᾱ; of a flow the
  /// square of the share of noise.
  /// - Parameters:
  ///   - time: a timestep of 1000, as the model is told it.
  ///   - schedule: of noise and velocities.
  func cleanError(at time: Float, _ schedule: NoiseSchedule) -> Double {
    if case .flow(let offset) = self {
      let share = min(max((Double(time) - offset) / 1000, 0), 1)
      return share * share
    }
    let step = min(max(Int(time), 0), NoiseSchedule.timestepCount - 1)
    let alpha = Double(schedule.cumulativeAlphas[step])
    return self == .velocity
      ? 1 - alpha : min((1 - alpha) / max(alpha, .leastNormalMagnitude), Self.largestCleanError)
  }
}
