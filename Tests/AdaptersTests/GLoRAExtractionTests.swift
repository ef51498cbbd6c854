import LinearAlgebra
import Tensors
import TestSupport
import Testing

@testable import Adapters

/// Alternating regressions for GLoRA: what they reach and what they may never do.
@Suite struct GLoRAExtractionTests {
  static let shapes: [Shape] = [
    [30, 18], [20, 32], [24, 24], [16, 10, 1, 1], [14, 8, 3], [18, 12, 3, 3], [10, 6, 2, 3, 2],
  ]

  /// A base, and the delta that GLoRA of the rank makes of it.
  private static func made(_ shape: Shape, rank: Int, seed: UInt64) throws -> WeightChange {
    let base = Tensor(random: shape, seed: seed) * 0.1
    let ones = shape.kernel.map { _ in 1 }
    let factors: [String: Tensor] = [
      GLoRA.a1: Tensor(random: Shape([shape.inputs, rank] + ones), seed: seed + 1) * 0.5,
      GLoRA.a2: Tensor(random: Shape([rank, shape.inputs] + ones), seed: seed + 2) * 0.5,
      GLoRA.b1: Tensor(random: Shape([shape.rows, rank] + ones), seed: seed + 3) * 0.3,
      GLoRA.b2: Tensor(random: Shape([rank] + shape.dimensions.dropFirst()), seed: seed + 4) * 0.3,
    ]
    var delta = try GLoRA.adaptedWeight(base, Factors(factors), multiplier: 1)
    delta.subtract(base)
    return WeightChange(delta, base: base)
  }

  private static func applied(_ found: Factorization, to change: WeightChange) throws -> Tensor {
    var tensors = Dictionary(
      uniqueKeysWithValues: found.factors.map { ($0.suffix, $0.tensor.decoded()) })
    let alpha = tensors.removeValue(forKey: alphaSuffix.name)?.elements[0]
    return try Adapter(GLoRA.self, tensors, alpha: alpha, for: change.shape)
      .adapt(weight: change.base, multiplier: 1)
  }

  @Test(arguments: shapes)
  func aDeltaOfItsOwnComesBack(shape: Shape) throws {
    let change = try Self.made(shape, rank: 2, seed: 71)
    let settings = FactorizationSettings(method: .exact, storage: .f32, allowsFull: false)
    let found = try GLoRA.factorize(change, policy: .fixed(2), settings: settings)
    // Single precision; the ridge of 1e-8 · ‖W‖²/in keeps back what lies in small singular values.
    #expect(found.relativeError <= 1e-5, "\(shape): \(found.relativeError)")
    #expect(found.rank == 2 && found.iterations != nil)
    let plain = try LoRA.factorize(change, policy: .fixed(2), settings: settings)
    #expect(plain.relativeError > 0.1)
    expectClose(
      try Self.applied(found, to: change), change.tuned, tolerance: 1e-5, "\(shape)")
    let shapes = Dictionary(
      uniqueKeysWithValues: found.factors.map { ($0.suffix, $0.tensor.shape) })
    let ones = shape.kernel.map { _ in 1 }
    #expect(shapes[GLoRA.a1] == Shape([shape.inputs, 2] + ones))
    #expect(shapes[GLoRA.a2] == Shape([2, shape.inputs] + ones))
    #expect(shapes[GLoRA.b1] == Shape([shape.rows, 2] + ones))
    #expect(shapes[GLoRA.b2] == Shape([2] + shape.dimensions.dropFirst()))
  }

  @Test(arguments: [[26, 16], [12, 10, 3, 3]] as [Shape], [1, 4])
  func errorNeverRises(shape: Shape, rank: Int) throws {
    let change = WeightChange(
      decayingDelta(shape, decay: 0.9, seed: 72), base: Tensor(random: shape, seed: 73))
    let problem = try GLoRAFit.Problem(change, settings: FactorizationSettings(method: .exact))
    for start in [
      try GLoRAFit(plainFor: problem, rank: rank), try GLoRAFit(regressionFor: problem, rank: rank),
    ] {
      var fit = start
      try fit.run(until: 20, tolerance: 0)
      #expect(fit.sweeps > 1 && fit.errors.count == fit.sweeps + 1)
      #expect(zip(fit.errors, fit.errors.dropFirst()).allSatisfy { $0 >= $1 }, "\(fit.errors)")
      #expect(fit.error < start.error)
    }
  }

  @Test(arguments: shapes + [[40, 4, 3, 3]], [1, 3, 7])
  func neverWorseThanLoRA(shape: Shape, rank: Int) throws {
    let change = WeightChange(
      decayingDelta(shape, decay: 0.9, seed: 74), base: Tensor(random: shape, seed: 75))
    let settings = FactorizationSettings(method: .exact, storage: .f32, allowsFull: false)
    let found = try GLoRA.factorize(change, policy: .fixed(rank), settings: settings)
    let plain = try LoRA.factorize(change, policy: .fixed(rank), settings: settings)
    #expect(found.rank == plain.rank)
    #expect(found.relativeError <= plain.relativeError * (1 + 1e-5) + 1e-6)
  }

  /// Where W reaches every direction, both parts together are any matrix of twice the rank.
  @Test(arguments: [[20, 20], [14, 30]] as [Shape])
  func wideWeightsReachTwiceTheRank(shape: Shape) throws {
    let change = WeightChange(
      decayingDelta(shape, decay: 0.8, seed: 76),
      base: Tensor(random: shape, seed: 77).adding(Tensor(diagonal: 3, shape), times: 1))
    let settings = FactorizationSettings(method: .exact, storage: .f32, allowsFull: false)
    let found = try GLoRA.factorize(change, policy: .fixed(3), settings: settings)
    let plain = try LoRA.factorize(change, policy: .fixed(6), settings: settings)
    #expect(abs(found.relativeError - plain.relativeError) <= 1e-4 * plain.relativeError)
  }

  /// A base of rank 2 besides rounding: what it cannot reach stays with B, and A stays bounded.
  @Test(arguments: [DType.f16, .bf16, .f32])
  func basesOfLowRankKeepFactorsBounded(storage: DType) throws {
    let shape: Shape = [24, 20]
    let base = Tensor(random: [24, 2], seed: 78).matmul(Tensor(random: [2, 20], seed: 79))
      .adding(Tensor(random: shape, seed: 80), times: 1e-6)
    let change = WeightChange(decayingDelta(shape, decay: 0.8, seed: 81), base: base)
    let settings = FactorizationSettings(storage: storage, allowsFull: false)
    let found = try GLoRA.factorize(change, policy: .fixed(4), settings: settings)
    let plain = try LoRA.factorize(change, policy: .fixed(4), settings: settings)
    // Rounding of W · A beside that of B.
    #expect(found.relativeError <= plain.relativeError * 1.01)
    for factor in found.factors where factor.suffix != alphaSuffix.name {
      let largest = factor.tensor.decoded().elements.reduce(Float(0)) { max($0, abs($1)) }
      #expect(largest < 100, "\(factor.suffix)")
    }
  }

  @Test func aBaseOfZerosLeavesLoRA() throws {
    let shape: Shape = [12, 14]
    let change = WeightChange(
      decayingDelta(shape, decay: 0.8, seed: 82), base: Tensor(zeros: shape))
    let settings = FactorizationSettings(storage: .f32, allowsFull: false)
    let found = try GLoRA.factorize(change, policy: .fixed(3), settings: settings)
    let plain = try LoRA.factorize(change, policy: .fixed(3), settings: settings)
    #expect(abs(found.relativeError - plain.relativeError) <= 1e-5)
  }

  /// Singular values of W that f16 would amplify are damped: half precision costs little.
  @Test(arguments: [[30, 18], [14, 10, 3, 3]] as [Shape])
  func halfPrecisionIsHarmless(shape: Shape) throws {
    let base = decayingDelta(shape, decay: 0.7, seed: 83)
    let change = WeightChange(decayingDelta(shape, decay: 0.9, seed: 84), base: base)
    var settings = FactorizationSettings(method: .exact, storage: .f32, allowsFull: false)
    let exact = try GLoRA.factorize(change, policy: .fixed(4), settings: settings)
    settings.storage = .f16
    let found = try GLoRA.factorize(change, policy: .fixed(4), settings: settings)
    #expect(found.relativeError <= 1.03 * exact.relativeError)
    let error = try Self.applied(found, to: change).squaredDistance(to: change.tuned)
    #expect(abs(error - found.squaredError) <= 1e-3 * error)
  }

  @Test(arguments: [[24, 20], [12, 8, 3, 3]] as [Shape], [0.5, 0.1])
  func theBoundIsMetByTheSmallestRank(shape: Shape, bound: Double) throws {
    let change = WeightChange(
      decayingDelta(shape, decay: 0.75, seed: 85), base: Tensor(random: shape, seed: 86))
    let settings = FactorizationSettings(method: .exact, storage: .f16, allowsFull: false)
    let found = try GLoRA.factorize(change, policy: .error(bound), settings: settings)
    #expect(found.relativeError <= bound)
    let rank = try #require(found.rank)
    if rank > 1 {
      let smaller = try GLoRA.factorize(change, policy: .fixed(rank - 1), settings: settings)
      #expect(smaller.relativeError > bound)
    }
  }

  /// Rank 5 of 20 × 20 takes 400 numbers as the delta does.
  @Test func storesTheDeltaWhereFactorsTakeMore() throws {
    let shape: Shape = [20, 20]
    let change = WeightChange(
      Tensor(random: shape, seed: 87), base: Tensor(random: shape, seed: 88))
    let settings = FactorizationSettings()
    #expect(try GLoRA.factorize(change, policy: .fixed(4), settings: settings).algorithm == "glora")
    for policy in [RankPolicy.fixed(5), .error(1e-2), .full] {
      #expect(try GLoRA.factorize(change, policy: policy, settings: settings).algorithm == "full")
    }
  }

  /// Five singular values of one size: LoRA needs rank 5, GLoRA half of it.
  @Test func spectrumIsHalved() throws {
    var delta = Tensor(zeros: [16, 18])
    for i in 0..<5 { delta.elements[i * 18 + i] = 2 }
    let change = WeightChange(delta, base: Tensor(random: [16, 18], seed: 89))
    let settings = FactorizationSettings(storage: .f32, allowsFull: false)
    for policy in [RankPolicy.threshold(1), .ratio(0.5), .quantile(0.99)] {
      #expect(try GLoRA.factorize(change, policy: policy, settings: settings).rank == 3)
    }
  }

  @Test(arguments: [[40, 30], [24, 10, 3, 3]] as [Shape])
  func optionsAreReached(shape: Shape) throws {
    let change = WeightChange(
      decayingDelta(shape, decay: 0.9, seed: 90), base: Tensor(random: shape, seed: 91))
    let settings = FactorizationSettings(storage: .f32)
    let options = try GLoRA.options(for: change, depth: 5, settings: settings)
    #expect(options.map(\.policy) == [.fixed(1), .fixed(2), .fixed(4)])
    try expectReached(options, change)
  }

  /// A linear layer with no more outputs than inputs is LoRA's: of twice the rank in as many bytes.
  @Test func hasNoOptionsWhereLoRAIsNeverWorse() throws {
    let change = WeightChange(
      Tensor(random: [30, 40], seed: 92), base: Tensor(random: [30, 40], seed: 93))
    #expect(try GLoRA.options(for: change, depth: 5, settings: .init()).isEmpty)
  }

  /// Rough starts and few sweeps for a large weight: within 0.5 % of what 10 more sweeps leave.
  @Test func largeChangesEndNearToTheFullSearch() throws {
    let shape: Shape = [1100, 1000]
    let change = WeightChange(
      manyDirections(shape, seed: 92), base: Tensor(random: shape, seed: 93))
    let problem = try GLoRAFit.Problem(change, settings: FactorizationSettings())
    let fit = try GLoRA.fit(problem, rank: 4)
    var full = fit
    try full.run(until: fit.sweeps + 10, tolerance: 0)
    #expect(full.sweeps > fit.sweeps)
    #expect(fit.error.squareRoot() <= 1.005 * full.error.squareRoot(), "\(fit.sweeps) sweeps")
  }
}

extension Tensor {
  /// `value` on the diagonal of a matrix.
  fileprivate init(diagonal value: Float, _ shape: Shape) {
    self.init(zeros: shape)
    for i in 0..<min(shape.rows, shape.columns) { elements[i * shape.columns + i] = value }
  }
}
