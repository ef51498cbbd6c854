import Adapters
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// LoRA at another rank, from its factors alone, against an extraction from the dense change.
@Suite struct ResizingTests {
  static let weights: [Shape] = [
    [40, 30], [16, 50], [24, 6, 3], [20, 8, 3, 3], [16, 4, 2, 3, 2],
  ]

  /// Rank 8 with a falling spectrum, which up and down hide behind each other.
  static func change(_ weight: Shape, seed: UInt64 = 1) throws -> LowRankChange {
    let delta = decayingDelta([8, 8], decay: 0.6, seed: seed)
    let mixing = Tensor(random: [8, 8], seed: seed + 5)
    let up = Tensor(random: [weight.rows, 8], seed: seed + 6).matmul(delta)
      .matmul(mixing)
    let down = try mixing.solve(Tensor(random: [8, weight.columns], seed: seed + 7))
    return LowRankChange(of: weight, up: up, down: down)
  }

  @Test(arguments: weights)
  func isAsGoodAsTheDenseTruncation(weight: Shape) throws {
    let change = try Self.change(weight)
    var settings = FactorizationSettings(method: .exact, storage: .f32, allowsFull: false)
    for rank in 1...8 {
      let found = try change.resized(.fixed(rank), settings: settings)
      let dense = try LoRA.factorize(
        WeightChange(change.delta), policy: .fixed(rank), settings: settings)
      #expect(found.rank == rank)
      #expect(abs(found.energy - dense.energy) <= 1e-6 * dense.energy)
      // f32 keeps 1e-7 of the change; at rank 8 nothing else is left.
      #expect(
        abs(found.relativeError - dense.relativeError) <= 1e-6 * dense.relativeError + 5e-7,
        "rank \(rank): \(found.relativeError), dense \(dense.relativeError)")
    }
    settings.storage = .f16
    for rank in [2, 5, 8] {
      let found = try change.resized(.fixed(rank), settings: settings)
      let error = try found.readDelta(of: weight).squaredDistance(to: change.delta).squareRoot()
      // What f32 blurs of the change besides.
      let floor = 5e-7 * found.energy.squareRoot()
      #expect(abs(found.squaredError.squareRoot() - error) <= 1e-3 * error + floor)
    }
  }

  @Test(arguments: [RankPolicy.threshold(0.5), .ratio(0.05), .quantile(0.9), .error(0.1)])
  func policiesChooseTheSameRank(policy: RankPolicy) throws {
    let change = try Self.change([40, 30], seed: 3)
    let settings = FactorizationSettings(method: .exact, storage: .f16, allowsFull: false)
    let found = try change.resized(policy, settings: settings)
    let dense = try LoRA.factorize(
      WeightChange(change.delta), policy: policy, settings: settings)
    #expect(found.rank == dense.rank)
    if case .error(let bound) = policy { #expect(found.relativeError <= bound) }
  }

  /// The bound is kept after rounding, which alone leaves some 3e-4 in f16.
  @Test func keepsTheErrorBoundAsStored() throws {
    let change = try Self.change([40, 30], seed: 4)
    let settings = FactorizationSettings(storage: .f16, allowsFull: false)
    for bound in [0.5, 0.1, 0.02, 0.005, 0.001] {
      let found = try change.resized(.error(bound), settings: settings)
      let rank = try #require(found.rank)
      #expect(relativeError(try found.readDelta(of: change.weight), change.delta) <= bound)
      guard rank > 1 else { continue }
      #expect(
        try change.resized(.fixed(rank - 1), settings: settings).relativeError > bound)
    }
    #expect(try change.resized(.error(1e-6), settings: settings).rank == 8)
  }

  /// At most the rank that factors have; whole where that is no smaller.
  @Test func neverGrows() throws {
    let change = try Self.change([40, 30])
    #expect(try change.resized(.fixed(50), settings: FactorizationSettings()).rank == 8)
    let small = try Self.change([12, 10])
    let whole = try small.resized(.fixed(8), settings: FactorizationSettings(storage: .f32))
    #expect(whole.algorithm == Full.name)
    expectClose(try whole.readDelta(of: [12, 10]), small.delta, tolerance: 1e-6)
    #expect(
      try change.resized(.full, settings: FactorizationSettings()).algorithm == Full.name)
  }

  @Test func storesFactorsAsTheyAre() throws {
    let change = try Self.change([20, 8, 3, 3])
    let exact = try change.stored(as: .f32)
    #expect(exact.rank == 8)
    #expect(exact.squaredError == 0)
    expectClose(try exact.readDelta(of: change.weight), change.delta, tolerance: 1e-6)
    let rounded = try change.stored(as: .f16)
    let error = relativeError(try rounded.readDelta(of: change.weight), change.delta)
    #expect(abs(rounded.relativeError - error) <= 1e-2 * error)
  }
}
