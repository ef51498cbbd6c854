import Pipelines
import Tensors
import TestSupport
import Testing

@testable import Sampling

@Suite struct FlowEulerTests {
  /// musubi-tuner's grid of HunyuanVideo for eight steps and a shift of 7 (`scheduling_flow_match_discrete.py`).
  @Test func gridIsShifted() {
    let shares = FlowGrid(steps: 8, shift: 7).shares
    let expected = [1, 0.98, 0.954_545_45, 0.921_052_63, 0.875, 0.807_692_26, 0.7, 0.5, 0]
    for (share, value) in zip(shares, expected) {
      // As printed there, in f32.
      #expect(abs(share - value) < 1e-7)
    }
    #expect(shares.count == expected.count)
  }

  @Test func straightFlowIsFollowedInOneStep() throws {
    let (picture, noise) = (
      Tensor(random: [1, 2, 3, 4], seed: 1), Tensor(random: [1, 2, 3, 4], seed: 2)
    )
    var flow = noise
    flow.subtract(picture)
    let solver = try Sampler(.euler).solver(
      steps: 1, prediction: .flow(timeOffset: 1), flowShift: 3)
    let result = try solver.solve(
      noise, denoise: { _, _ in flow }, noise: { noise },
      progress: { _, clean in expectClose(clean, picture, tolerance: 1e-6) })
    // A difference and a sum of f32.
    expectClose(result, picture, tolerance: 1e-6)
  }
}
