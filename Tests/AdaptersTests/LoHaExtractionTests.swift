import LinearAlgebra
import Tensors
import TestSupport
import Testing

@testable import Adapters

/// Alternating least squares for LoHa: what it reaches and what it may never do.
@Suite struct LoHaExtractionTests {
  /// Factors as training leaves them: products of random numbers, the parts of falling weight.
  static func product(_ shape: Shape, rank: Int, seed: UInt64) -> Tensor {
    var sides: [Tensor] = []
    for side in 0..<2 {
      var left = Tensor(random: [shape.rows, rank], seed: seed + UInt64(2 * side))
      left.scaleColumns(by: (0..<rank).map { Float(1 << (2 * (rank - $0))) })
      sides.append(
        left.matmul(Tensor(random: [rank, shape.columns], seed: seed + UInt64(2 * side) + 1)))
    }
    return (sides[0] * sides[1] * 1e-4).reshaped(shape)
  }

  static let shapes: [Shape] = [[30, 44], [24, 10, 3], [20, 6, 3, 3], [16, 5, 2, 3, 2]]

  @Test(arguments: shapes)
  func aProductComesBack(shape: Shape) throws {
    let delta = Self.product(shape, rank: 2, seed: 41)
    let settings = FactorizationSettings(storage: .f32, allowsFull: false)
    let change = WeightChange(delta)
    let found = try LoHa.factorize(change, policy: .fixed(2), settings: settings)
    #expect(found.rank == 2)
    // Sweeps go on to the floor of single precision.
    #expect(found.relativeError <= 1e-5, "\(shape): \(found.relativeError)")
    expectClose(try found.readDelta(of: shape), delta, tolerance: 1e-5, "\(shape)")
    let plain = try LoRA.factorize(change, policy: .fixed(2), settings: settings)
    #expect(plain.relativeError > 0.02)
    let shapes = Dictionary(
      uniqueKeysWithValues: found.factors.map { ($0.suffix, $0.tensor.shape) })
    #expect(shapes["hada_w1_a"] == [shape.rows, 2] && shapes["hada_w1_b"] == [2, shape.columns])
    #expect(shapes["hada_w2_a"] == [shape.rows, 2] && shapes["hada_w2_b"] == [2, shape.columns])
  }

  @Test(arguments: [1, 2, 3, 6], [0.95, 0.6] as [Float])
  func errorNeverRises(rank: Int, decay: Float) throws {
    let change = WeightChange(decayingDelta([28, 36], decay: decay, seed: 42))
    let (fit, _) = try LoHa.fit(to: change, rank: rank, FactorizationSettings())
    #expect(fit.errors.count == fit.sweeps + 1)
    #expect(zip(fit.errors, fit.errors.dropFirst()).allSatisfy { $0 >= $1 }, "\(fit.errors)")
    if rank > 1 { #expect(fit.error < 0.95 * fit.errors[0]) }
  }

  @Test(arguments: [1, 2, 5, 9], [[24, 30], [18, 4, 3, 3]] as [Shape])
  func neverWorseThanLoRA(rank: Int, shape: Shape) throws {
    let change = WeightChange(decayingDelta(shape, decay: 0.9, seed: 43))
    let settings = FactorizationSettings(method: .exact, storage: .f32, allowsFull: false)
    let found = try LoHa.factorize(change, policy: .fixed(rank), settings: settings)
    let plain = try LoRA.factorize(change, policy: .fixed(rank), settings: settings)
    // Single precision of the same factors, where nothing can be gained.
    #expect(found.relativeError <= plain.relativeError * (1 + 1e-5) + 1e-6)
    if rank > 1 { #expect(found.relativeError < 0.97 * plain.relativeError) }
  }

  /// Balanced factors lose next to nothing in 16 bits, however small the delta.
  @Test(arguments: [1, 1e-4, 1e-7] as [Float])
  func halfPrecisionIsHarmless(scale: Float) throws {
    let delta = Self.product([32, 40], rank: 2, seed: 44) * scale
    let change = WeightChange(delta)
    var settings = FactorizationSettings(storage: .f16, allowsFull: false)
    let found = try LoHa.factorize(change, policy: .fixed(2), settings: settings)
    let error = try found.readDelta(of: delta.shape).squaredDistance(to: delta).squareRoot()
    #expect(abs(found.squaredError.squareRoot() - error) <= 1e-3 * error)
    // Four factors, each rounded by 2⁻¹² or so.
    #expect(found.relativeError <= 1e-3, "\(found.relativeError)")
    let largest = found.factors.filter { $0.suffix != "alpha" }.map { factor in
      factor.tensor.decoded().elements.reduce(Float(0)) { max($0, abs($1)) }
    }
    #expect((largest.max() ?? 0) <= 20 * (largest.min() ?? 0), "\(largest)")
    settings.storage = .f32
    let exact = try LoHa.factorize(change, policy: .fixed(2), settings: settings)
    #expect(exact.squaredError <= found.squaredError)
  }

  @Test(arguments: [0.6, 0.3, 0.05])
  func theBoundIsMetByTheSmallestRank(bound: Double) throws {
    let change = WeightChange(decayingDelta([24, 32], decay: 0.8, seed: 45))
    let settings = FactorizationSettings(storage: .f16, allowsFull: false)
    let found = try LoHa.factorize(change, policy: .error(bound), settings: settings)
    #expect(found.relativeError <= bound)
    let rank = try #require(found.rank)
    let plain = try LoRA.factorize(change, policy: .error(bound), settings: settings)
    #expect(rank <= plain.rank ?? 0)
    if rank > 1 {
      let smaller = try LoHa.factorize(change, policy: .fixed(rank - 1), settings: settings)
      #expect(smaller.relativeError > bound)
    }
  }

  /// Rank 4 of 20 × 24 takes 352 numbers, rank 5 440, rank 6 528 of 480.
  @Test func storesTheDeltaWhereFactorsTakeMore() throws {
    let change = WeightChange(Tensor(random: [20, 24], seed: 46))
    let settings = FactorizationSettings(storage: .f16)
    #expect(try LoHa.factorize(change, policy: .fixed(5), settings: settings).algorithm == "loha")
    #expect(try LoHa.factorize(change, policy: .fixed(6), settings: settings).algorithm == "full")
    let tight = try LoHa.factorize(change, policy: .error(1e-2), settings: settings)
    #expect(tight.algorithm == "full")
    #expect(try LoHa.factorize(change, policy: .full, settings: settings).algorithm == "full")
  }

  /// Four singular values of one size: LoRA needs rank 4, LoHa 2.
  @Test func spectrumGivesTheRoot() throws {
    var delta = Tensor(zeros: [16, 18])
    for i in 0..<4 { delta.elements[i * 18 + i] = 2 }
    let settings = FactorizationSettings(storage: .f32, allowsFull: false)
    for policy in [RankPolicy.threshold(1), .ratio(0.5), .quantile(0.99)] {
      let found = try LoHa.factorize(WeightChange(delta), policy: policy, settings: settings)
      #expect(found.rank == 2)
    }
  }

  @Test func optionsAreReached() throws {
    let change = WeightChange(decayingDelta([30, 40], decay: 0.9, seed: 47))
    let settings = FactorizationSettings(storage: .f32)
    let options = try LoHa.options(for: change, depth: 6, settings: settings)
    #expect(options.map(\.policy) == [.fixed(2), .fixed(4)])
    try expectReached(options, change)
  }

  /// A sample tells whether a large change has anything for LoHa.
  @Test func largeChangesAreScreened() throws {
    let shape: Shape = [176, 168]
    var parts: [Tensor] = []
    for seed in [51, 53] as [UInt64] {
      var left = Tensor(random: [shape.rows, 4], seed: seed)
      left.scaleColumns(by: [1, 0.7, 0.5, 0.35])
      parts.append(left.matmul(Tensor(random: [4, shape.columns], seed: seed + 1)))
    }
    let settings = FactorizationSettings(storage: .f32)
    let product = WeightChange(parts[0] * parts[1])
    #expect(try !LoHa.options(for: product, depth: 4, settings: settings).isEmpty)
    let lowRank = WeightChange(parts[0] + parts[1])
    #expect(try LoHa.options(for: lowRank, depth: 4, settings: settings).isEmpty)
  }

  @Test func sameInputSameBytes() throws {
    let change = WeightChange(decayingDelta([20, 24], decay: 0.9, seed: 48))
    let settings = FactorizationSettings(seed: 7)
    let bytes = try (0..<2).map { _ in
      try LoHa.factorize(change, policy: .fixed(3), settings: settings).factors.map(\.tensor.bytes)
    }
    #expect(bytes[0] == bytes[1])
  }

  @Test func brokenDeltasAreRefused() {
    var delta = Tensor(random: [12, 16], seed: 49)
    delta.elements[5] = .nan
    #expect(throws: LinearAlgebraError.self) {
      try LoHa.factorize(
        WeightChange(delta), policy: .fixed(2), settings: FactorizationSettings(allowsFull: false))
    }
  }

  /// Sweeps of a large change end where little is promised: within 0.5 % of what 40 more of them leave.
  @Test func largeChangesEndNearToTheFullSearch() throws {
    let change = WeightChange(manyDirections([560, 520], seed: 91))
    let (fit, _) = try LoHa.fit(to: change, rank: 4, FactorizationSettings())
    var full = fit
    full.run(until: fit.sweeps + 40, tolerance: 0)
    #expect(full.sweeps > fit.sweeps)
    #expect(fit.error.squareRoot() <= 1.005 * full.error.squareRoot(), "\(fit.sweeps) sweeps")
  }
}
