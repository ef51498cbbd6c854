import LinearAlgebra
import Tensors

/// Euler's method along the flow from latents to noise: x ← x + (t' − t) v.
struct FlowEulerSolver: Solver {
  let grid: FlowGrid

  var initialScale: Float { 1 }
  var stepCount: Int { grid.shares.count - 1 }
  var callCount: Int { stepCount }

  func solve(
    _ start: Tensor, denoise: (Tensor, Float) throws -> Tensor, noise: () -> Tensor,
    progress: (Int, Tensor) throws -> Void
  ) throws -> Tensor {
    var latents = start
    for (index, (share, next)) in zip(grid.shares, grid.shares.dropFirst()).enumerated() {
      let flow = try denoise(latents, Float(1000 * share))
      let clean = latents.adding(flow, times: Float(-share))
      latents.add(flow, times: Float(next - share))
      try progress(index + 1, clean)
    }
    return latents
  }
}
