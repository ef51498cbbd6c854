import LinearAlgebra
import Tensors

/// Methods that remember nothing from one step to the next: one or two calls a step.
///
/// In σ the way of x = latents / signal has the slope ε (Karras et al. 2022, algorithms 1 and 2), so that a step ends at
/// x̂ + σ ε + (σ' − σ) slope, with x̂ and ε of its beginning. Terms are gathered by x̂ and ε before they are multiplied:
/// σ may be 4096.
struct RungeKuttaSolver: Solver {
  struct Step: Hashable, Sendable {
    let start: TimeGrid.Point
    /// Where the model is asked a second time; nil in steps of first order.
    var middle: TimeGrid.Point?
    /// σ that the slope leads to.
    let target: Double
    /// σ of fresh noise behind it; nil if none is drawn.
    var added: Double?
    let end: NoiseLevel
  }

  /// What is held to −1 … 1.
  enum Clamping: Hashable, Sendable {
    case none
    /// x̂, beside ε as it is predicted.
    case clean
    /// x̂, and ε is what remains of the latents.
    case cleanAndSlope
  }

  let steps: [Step]
  let initialScale: Float
  let predictsVelocity: Bool
  /// How much the slope in the middle counts, that at the start counts the rest.
  var middleWeight = 0.0
  var clamping = Clamping.none

  var stepCount: Int { steps.count }
  var callCount: Int { steps.count { $0.middle != nil } + steps.count }

  func solve(
    _ start: Tensor, denoise: (Tensor, Float) throws -> Tensor, noise: () -> Tensor,
    progress: (Int, Tensor) throws -> Void
  ) throws -> Tensor {
    func estimate(_ latents: Tensor, _ point: TimeGrid.Point) throws -> Estimate {
      var estimate = Estimate(
        try denoise(latents, point.time), of: latents, at: point.level,
        predictsVelocity: predictsVelocity)
      if clamping != .none { estimate.clamp() }
      if clamping == .cleanAndSlope { estimate.deriveNoise(from: latents, at: point.level) }
      return estimate
    }
    var latents = start * initialScale
    for (index, step) in steps.enumerated() {
      let first = try estimate(latents, step.start)
      let signal = step.end.signal
      latents = first.clean * Float(signal)
      if let middle = step.middle {
        let second = try estimate(first.latents(at: middle.level), middle)
        let sigma = step.start.level.sigma
        let length = step.target - sigma
        latents.add(
          first.noise, times: Float(signal * (sigma + length * (1 - middleWeight))))
        latents.add(second.noise, times: Float(signal * length * middleWeight))
      } else {
        latents.add(first.noise, times: Float(signal * step.target))
      }
      if let added = step.added { latents.add(noise(), times: Float(signal * added)) }
      try progress(index + 1, first.clean)
    }
    return latents
  }
}
