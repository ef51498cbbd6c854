import LinearAlgebra
import Tensors
import TestSupport
import Testing

@testable import Adapters

/// Higher-order orthogonal iteration for the Tucker form of LoRA.
@Suite struct TuckerFitTests {
  static let shapes: [Shape] = [[14, 10, 3], [12, 16, 3, 3], [9, 8, 2, 3, 2]]

  private static func fit(_ delta: Tensor, rank: Int) throws -> TuckerFit {
    let svd = try delta.truncatedSVD(rank: rank, method: .exact)
    return try TuckerFit(
      delta, energy: delta.sumOfSquares, from: svd, settings: FactorizationSettings(method: .exact))
  }

  @Test(arguments: shapes, [1, 3, 6])
  func errorNeverRises(shape: Shape, rank: Int) throws {
    let delta = decayingDelta(shape, decay: 0.9, seed: 51)
    var fit = try Self.fit(delta, rank: rank)
    let start = fit.errors[0]
    try fit.run()
    #expect(fit.sweeps > 0 && fit.errors.count == fit.sweeps + 1)
    #expect(zip(fit.errors, fit.errors.dropFirst()).allSatisfy { $0 >= $1 }, "\(fit.errors)")
    #expect(fit.errors[fit.sweeps] < start)
    // ‖Δ − Δ'‖² = ‖Δ‖² − ‖C‖² for orthonormal factors.
    let found = try Self.delta(fit, shape)
    let error = found.squaredDistance(to: delta) / delta.sumOfSquares
    #expect(abs(error - fit.errors[fit.sweeps]) <= 1e-5)
    let gram = fit.down.matmulTransposed(fit.down)
    expectClose(gram, Tensor(identity: rank), tolerance: 1e-5, "V")
    expectClose(
      fit.outer.u.transposedMatmul(fit.outer.u), Tensor(identity: rank), tolerance: 1e-5, "U")
  }

  private static func delta(_ fit: TuckerFit, _ shape: Shape) throws -> Tensor {
    var up = fit.outer.u
    up.scaleColumns(by: fit.outer.s)
    return try LoRA.adaptedWeight(
      Tensor(zeros: shape),
      Factors([
        "lora_up.weight": up, "lora_mid.weight": fit.core(kernel: shape.kernel),
        "lora_down.weight": fit.down,
      ]), multiplier: 1)
  }

  /// Rank 1 of a 2 × 2 × 2 tensor has one parameter per side; a grid over both angles finds the best.
  @Test(arguments: 0..<6)
  func findsTheBestOfAGrid(seed: Int) throws {
    let delta = Tensor(random: [2, 2, 2], seed: UInt64(60 + seed))
    var fit = try Self.fit(delta, rank: 1)
    try fit.run()
    let steps = 400
    var best = 0.0
    let d = delta.elements.map(Double.init)
    let circle = (0..<steps).map { step -> (Double, Double) in
      // Points of the half circle by the tangent of the half angle.
      let t = 2 * (Double(step) + 0.5) / Double(steps) - 1
      return (2 * t / (1 + t * t), (1 - t * t) / (1 + t * t))
    }
    for u in circle {
      let rows = (0..<4).map { u.0 * d[$0] + u.1 * d[4 + $0] }
      for v in circle {
        let (x, y) = (v.0 * rows[0] + v.1 * rows[2], v.0 * rows[1] + v.1 * rows[3])
        best = max(best, x * x + y * y)
      }
    }
    let kept = (1 - fit.errors[fit.sweeps]) * delta.sumOfSquares
    // The sweeps end when one removes 1e-4 of the error, so the last few of them are missing.
    #expect(kept >= best * (1 - 5e-4), "\(kept) of \(best)")
    // The grid misses each angle by at most 2.5e-3, which costs its square.
    #expect(kept <= best * (1 + 1e-4), "\(kept) of \(best)")
  }

  /// What one pass finds, the form that was stored before there was an iteration.
  @Test func improvesOnOnePass() throws {
    let shape: Shape = [24, 20, 3, 3]
    let delta = decayingDelta(shape, decay: 0.97, seed: 52)
    let rank = 5
    let svd = try delta.truncatedSVD(rank: rank, method: .exact)
    var weighed = svd.vt
    weighed.scaleRows(by: svd.s)
    let unfolded = weighed.reshaped([rank, 20, 9]).swappedFirstAxes().reshaped([20, rank * 9])
    let kept = try unfolded.truncatedSVD(rank: rank, method: .exact).s.reduce(0) { $0 + $1 * $1 }
    let onePass = delta.sumOfSquares - Double(kept)
    let settings = FactorizationSettings(method: .exact, storage: .f32, tucker: true)
    let found = try LoRA.factorize(WeightChange(delta), policy: .fixed(rank), settings: settings)
    #expect(found.factors.contains { $0.suffix == "lora_mid.weight" })
    #expect(found.squaredError < 0.999 * onePass, "\(found.squaredError) of \(onePass)")
    #expect(found.iterations ?? 0 > 1)
    #expect(
      abs(try found.readDelta(of: shape).squaredDistance(to: delta) - found.squaredError)
        <= 1e-4 * found.squaredError)
  }
}
