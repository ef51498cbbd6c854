import Autograd
import DiffusionModels
import Tensors

/// What is minimized: how far the UNet is from the noise, or velocity, in latents to which it was added.
struct DiffusionObjective {
  let unet: UNet2DCondition
  let schedule: NoiseSchedule
  let noise: NoiseSettings
  let settings: LossSettings

  /// The input of the UNet, what it is to find, and the timesteps.
  struct Problem {
    let input: NoisyLatents
    let target: Tensor
  }

  /// - Parameters:
  ///   - latents: scaled, `[batch, height, width, channels]`.
  ///   - timesteps: nil to draw them.
  func problem(
    _ latents: Tensor, _ randomness: [SampleRandomness], timesteps: [Int]? = nil
  ) -> Problem {
    let input =
      timesteps.map { noise.noisy(latents, schedule, at: $0, randomness) }
      ?? noise.noisy(latents, schedule, randomness)
    return Problem(
      input: input,
      target: settings.predictsVelocity
        ? schedule.velocity(latents, input.noise, at: input.timesteps) : input.noise)
  }

  /// - Parameters:
  ///   - weights: of the loss of each sample.
  ///   - mask: `[batch, height', width']`, what each place counts.
  func loss(
    of problem: Problem, context: Variable, weights: [Float], mask: Tensor?
  ) -> Loss {
    let timesteps = problem.input.timesteps
    let prediction = unet(
      Variable(problem.input.values), timesteps: timesteps.map { Float($0) }, context: context)
    return settings.loss(
      prediction, target: problem.target, timesteps: timesteps, schedule, weights: weights,
      mask: mask)
  }
}
