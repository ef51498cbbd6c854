import LinearAlgebra
import Tensors

/// The linear multistep method of fourth order in σ, of k-diffusion: the polynomial through the last slopes, integrated.
struct LMSSolver: Solver {
  private static let order = 4

  let grid: TimeGrid
  let predictsVelocity: Bool

  var initialScale: Float { Float(grid.points.first?.level.noise ?? 1) }
  var stepCount: Int { grid.points.count }
  var callCount: Int { grid.points.count }

  func solve(
    _ start: Tensor, denoise: (Tensor, Float) throws -> Tensor, noise: () -> Tensor,
    progress: (Int, Tensor) throws -> Void
  ) throws -> Tensor {
    let levels = grid.levels
    let sigmas = levels.map(\.sigma)
    var latents = start * initialScale
    /// The newest first.
    var slopes: [Tensor] = []
    for (index, point) in grid.points.enumerated() {
      let estimate = Estimate(
        try denoise(latents, point.time), of: latents, at: point.level,
        predictsVelocity: predictsVelocity)
      slopes.insert(estimate.noise, at: 0)
      if slopes.count > Self.order { slopes.removeLast() }
      let past = slopes.indices.map { sigmas[index - $0] }
      var weights = Self.weights(past, to: sigmas[index + 1])
      // The latents at the start are x̂ + σ ε.
      weights[0] += sigmas[index]
      let signal = levels[index + 1].signal
      latents = estimate.clean * Float(signal)
      for (slope, weight) in zip(slopes, weights) {
        latents.add(slope, times: Float(signal * weight))
      }
      try progress(index + 1, estimate.clean)
    }
    return latents
  }

  /// The integrals from the first σ to the target of the Lagrange polynomials on all of them.
  ///
  /// Simpson's rule is exact: they are at most cubic.
  static func weights(_ sigmas: [Double], to target: Double) -> [Double] {
    let start = sigmas[0]
    return sigmas.indices.map { j in
      func basis(_ sigma: Double) -> Double {
        sigmas.indices.filter { $0 != j }
          .reduce(1) { $0 * (sigma - sigmas[$1]) / (sigmas[j] - sigmas[$1]) }
      }
      return (target - start) / 6
        * (basis(start) + 4 * basis((start + target) / 2) + basis(target))
    }
  }
}
