import LinearAlgebra
import Tensors

/// Pseudo numerical methods for diffusion models (Liu et al. 2022): three steps of Runge and Kutta of four calls each,
/// then Adams-Bashforth's of fourth order. What is averaged are predictions, each step is one of DDIM.
///
/// As diffusers' `PNDMScheduler` without `skip_prk_steps`; its last step goes to the level of timestep 0.
struct PNDMSolver: Solver {
  /// Calls of the first steps need that many.
  static let leastStepCount = 4

  /// Where steps begin, falling.
  let timesteps: [Int]
  let table: SigmaTable
  let predictsVelocity: Bool

  var initialScale: Float { 1 }
  var stepCount: Int { timesteps.count }
  var callCount: Int { timesteps.count + 9 }
  /// Timesteps of a step.
  private var stride: Int { NoiseSchedule.timestepCount / timesteps.count }

  func solve(
    _ start: Tensor, denoise: (Tensor, Float) throws -> Tensor, noise: () -> Tensor,
    progress: (Int, Tensor) throws -> Void
  ) throws -> Tensor {
    var latents = start
    var outputs: [Tensor] = []
    for (index, timestep) in timesteps.enumerated() {
      outputs.insert(try denoise(latents, Float(timestep)), at: 0)
      let (output, next): (Tensor, Int)
      if index < 3 {
        next = timesteps[index + 1]
        output = try rungeKutta(outputs[0], latents, from: timestep, to: next, denoise)
      } else {
        next = timestep - stride
        output = Self.sum(outputs, [55 / 24, -59 / 24, 37 / 24, -9 / 24])
        outputs.removeLast()
      }
      let estimate = estimate(output, latents, timestep)
      latents = estimate.latents(at: level(next))
      try progress(index + 1, estimate.clean)
    }
    return latents
  }

  /// The mean of four predictions, at the start, twice in the middle and at the end.
  private func rungeKutta(
    _ first: Tensor, _ latents: Tensor, from timestep: Int, to next: Int,
    _ denoise: (Tensor, Float) throws -> Tensor
  ) throws -> Tensor {
    let half = stride / 2
    let middle = next + half
    var outputs = [first]
    // Latents go to the first number, and the model is told the second: they differ where a step is odd.
    for (target, time) in [(timestep - half, middle), (middle, middle), (next, next)] {
      let moved = estimate(outputs[outputs.count - 1], latents, timestep).latents(at: level(target))
      outputs.append(try denoise(moved, Float(time)))
    }
    return Self.sum(outputs, [1 / 6, 1 / 3, 1 / 3, 1 / 6])
  }

  private func estimate(_ output: Tensor, _ latents: Tensor, _ timestep: Int) -> Estimate {
    Estimate(output, of: latents, at: level(timestep), predictsVelocity: predictsVelocity)
  }

  private func level(_ timestep: Int) -> NoiseLevel { table.level(at: max(0, timestep)) }

  private static func sum(_ terms: [Tensor], _ weights: [Double]) -> Tensor {
    var sum = terms[0] * Float(weights[0])
    for (term, weight) in zip(terms, weights).dropFirst() { sum.add(term, times: Float(weight)) }
    return sum
  }
}
