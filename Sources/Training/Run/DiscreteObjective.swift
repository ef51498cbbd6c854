import Autograd
import Sampling
import Tensors

/// Noise, or velocity, of a schedule of whole timesteps (Ho et al. 2020; Salimans and Ho 2022).
struct DiscreteObjective: Objective {
  let schedule: NoiseSchedule
  let noise: NoiseSettings
  let settings: LossSettings

  var timeCount: Int { NoiseSchedule.timestepCount }

  /// A fifth, two fifths … of the range, as kohya's scripts have it.
  var judgedTimes: [Float] {
    let range = noise.timesteps
    return (1...4).map { Float(range.lowerBound + $0 * range.count / 5) }
  }

  func problem(
    _ latents: Tensor, at times: [Float]?, _ randomness: [SampleRandomness]
  ) -> Problem {
    let noisy =
      times.map { noise.noisy(latents, schedule, at: $0.map { Int($0) }, randomness) }
      ?? noise.noisy(latents, schedule, randomness)
    return Problem(
      input: noisy.values,
      target: settings.predictsVelocity
        ? schedule.velocity(latents, noisy.noise, at: noisy.timesteps) : noisy.noise,
      times: noisy.timesteps.map { Float($0) })
  }

  func loss(
    of problem: Problem, _ prediction: Variable, weights: [Float], mask: Tensor?
  ) -> Loss {
    settings.loss(
      prediction, target: problem.target, timesteps: problem.times.map { Int($0) }, schedule,
      weights: weights, mask: mask)
  }
}
