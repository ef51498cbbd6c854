import LinearAlgebra
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// DPM-Solver of second order, midpoint: exponential integrators in λ, the logarithm of signal to noise.
///
/// DPM-Solver (Lu et al. 2022a) integrates ε, DPM-Solver++ (Lu et al. 2022b, "Fast solver for guided sampling of diffusion
/// probabilistic models") x̂. As diffusers' `DPMSolverMultistepScheduler` and `DPMSolverSinglestepScheduler`.
struct DPMSolver: Solver {
  /// Where a step of second order begins.
  enum Form: Hashable, Sendable {
    /// At the newest latents, with the slope since the call before: 2M.
    case multistep
    /// At the latents of the call before, in every second step: 2S.
    case singlestep
  }

  let grid: TimeGrid
  let form: Form
  /// Whether x̂ is integrated rather than ε.
  let integratesClean: Bool
  let predictsVelocity: Bool

  var initialScale: Float { 1 }
  var stepCount: Int { grid.points.count }
  var callCount: Int { grid.points.count }

  func solve(
    _ start: Tensor, denoise: (Tensor, Float) throws -> Tensor, noise: () -> Tensor,
    progress: (Int, Tensor) throws -> Void
  ) throws -> Tensor {
    let levels = grid.levels
    var latents = start
    var last: (latents: Tensor, value: Tensor, level: NoiseLevel)?
    for (index, point) in grid.points.enumerated() {
      let estimate = Estimate(
        try denoise(latents, point.time), of: latents, at: point.level,
        predictsVelocity: predictsVelocity)
      let newest = (
        latents: latents, value: integratesClean ? estimate.clean : estimate.noise,
        level: point.level
      )
      let end = levels[index + 1]
      var (origin, value) = (newest, newest.value)
      if let last, isSecondOrder(index) {
        origin = form == .multistep ? newest : last
        // The slope between the two calls, times half the step.
        let share =
          (end.logRatio - origin.level.logRatio) / (newest.level.logRatio - last.level.logRatio) / 2
        let change = newest.value.adding(last.value, times: -1)
        value = origin.value.adding(change, times: Float(share))
      }
      latents = step(origin.latents, value, from: origin.level, to: end)
      last = newest
      try progress(index + 1, estimate.clean)
    }
    return latents
  }

  /// The exact solution where x̂ or ε stays the same.
  private func step(
    _ latents: Tensor, _ value: Tensor, from: NoiseLevel, to: NoiseLevel
  ) -> Tensor {
    integratesClean
      ? (latents * Float(to.noise / from.noise))
        .adding(value, times: Float(to.signal - from.signal * to.noise / from.noise))
      : (latents * Float(to.signal / from.signal))
        .adding(value, times: Float(to.noise - from.noise * to.signal / from.signal))
  }

  /// The first step has no value before it, the last leads to where λ is infinite; few steps end better by one of
  /// first order.
  private func isSecondOrder(_ index: Int) -> Bool {
    switch form {
    case .multistep:
      index > 0 && (index < stepCount - 1 || !(grid.end.noise == 0 || stepCount < 15))
    case .singlestep: index % 2 == 1 && index < stepCount - 1
    }
  }
}
