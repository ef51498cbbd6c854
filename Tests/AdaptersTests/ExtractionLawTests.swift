import Adapters
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Extraction at full rank restores the delta, whatever the shape.
@Suite struct ExtractionLawTests {
  static let shapes: [Shape] = [
    [24, 16], [16, 24], [20, 20], [1, 12], [12, 1], [12, 6, 1, 1], [8, 4, 3, 3], [40, 4, 3, 3],
    [8, 6, 3], [6, 4, 1, 3], [6, 3, 2, 3, 3], [8, 1, 3, 3],
  ]

  @Test(arguments: shapes, SVDMethod.allCases)
  func fullRankRestoresTheDelta(shape: Shape, method: SVDMethod) throws {
    let delta = Tensor(random: shape, seed: 11)
    let found = try LoRA.factorize(
      WeightChange(delta), policy: .fixed(1000),
      settings: FactorizationSettings(method: method, storage: .f32, allowsFull: false))
    #expect(found.rank == min(shape.rows, shape.columns))
    // Products of f32 factors.
    expectClose(try found.readDelta(of: shape), delta, tolerance: 2e-6, "\(shape) \(method)")
    let up = try #require(found.factors.first { $0.suffix == "lora_up.weight" }).tensor.shape
    let down = try #require(found.factors.first { $0.suffix == "lora_down.weight" }).tensor.shape
    #expect(up.dimensions.count == shape.dimensions.count)
    #expect(down.dimensions.dropFirst() == shape.dimensions.dropFirst())
    try LoRA.check(["lora_up.weight": up, "lora_down.weight": down], base: shape)
  }

  @Test(arguments: shapes)
  func fullPolicyStoresTheDelta(shape: Shape) throws {
    let delta = Tensor(random: shape, seed: 12)
    let found = try LoRA.factorize(
      WeightChange(delta), policy: .full, settings: FactorizationSettings(storage: .f32))
    #expect(found.algorithm == Full.name)
    #expect(found.squaredError == 0)
    #expect(try found.readDelta(of: shape) == delta)
  }

  @Test func normStoresTheDelta() throws {
    let delta = Tensor(random: [32], seed: 13)
    let found = Full.factorize(delta, suffix: Norm.difference, storage: .f32)
    #expect(found.algorithm == Norm.name)
    #expect(found.factors.map(\.suffix) == ["w_norm"])
    #expect(try found.readDelta(of: [32]) == delta)
  }

  /// Rank 3 of 12 × 10 costs 66 numbers of 120, rank 6 costs 132.
  @Test func storesTheDeltaWhereFactorsTakeMore() throws {
    let delta = Tensor(random: [12, 10], seed: 14)
    let settings = FactorizationSettings(storage: .f16)
    #expect(
      try LoRA.factorize(WeightChange(delta), policy: .fixed(5), settings: settings).algorithm
        == "lora")
    #expect(
      try LoRA.factorize(WeightChange(delta), policy: .fixed(6), settings: settings).algorithm
        == "full")
  }

  /// A delta that is a Tucker product of inner rank 3 comes back exactly, and smaller than without
  /// a core.
  @Test(arguments: [[16, 12, 3, 3], [12, 16, 3], [10, 8, 2, 3, 3]] as [Shape])
  func tuckerIsExactAtFullInnerRank(shape: Shape) throws {
    let inner = 3
    let factors: [String: Tensor] = [
      "lora_up.weight": Tensor(random: [shape.rows, inner], seed: 21),
      "lora_mid.weight": Tensor(random: Shape([inner, inner] + shape.kernel), seed: 22),
      "lora_down.weight": Tensor(random: [inner, shape.dimensions[1]], seed: 23),
    ]
    let delta = try LoRA.adaptedWeight(Tensor(zeros: shape), Factors(factors), multiplier: 1)
    var settings = FactorizationSettings(method: .exact, storage: .f32, tucker: true)
    let found = try LoRA.factorize(WeightChange(delta), policy: .fixed(inner), settings: settings)
    #expect(found.factors.contains { $0.suffix == "lora_mid.weight" })
    expectClose(try found.readDelta(of: shape), delta, tolerance: 3e-6, "\(shape)")
    settings.tucker = false
    let plain = try LoRA.factorize(WeightChange(delta), policy: .fixed(inner), settings: settings)
    #expect(found.byteCount < plain.byteCount)
  }

  /// Where the second truncation loses something, the stated error counts it.
  @Test func tuckerStatesItsOwnError() throws {
    let shape: Shape = [16, 24, 3, 3]
    let delta = decayingDelta(shape, decay: 0.7, seed: 31)
    let settings = FactorizationSettings(method: .exact, storage: .f16, tucker: true)
    let found = try LoRA.factorize(WeightChange(delta), policy: .fixed(6), settings: settings)
    #expect(found.factors.contains { $0.suffix == "lora_mid.weight" })
    let error = try found.readDelta(of: shape).squaredDistance(to: delta).squareRoot()
    #expect(abs(found.squaredError.squareRoot() - error) <= 1e-3 * error)
    let bound = try LoRA.factorize(WeightChange(delta), policy: .error(0.2), settings: settings)
    #expect(bound.relativeError <= 0.2 * (1 + 1e-5))
  }

  /// f32 minus f32 does not fit f32: with the pair given, the tuned value comes back.
  @Test func storesWideDifferencesWhereNeeded() throws {
    let base = Tensor([4], [1e8, -1, 3, 0.1])
    let tuned = Tensor([4], [1.25, 1e-9, 3, 1e7])
    let delta = Tensor([4], zip(tuned.elements, base.elements).map { $0 - $1 })
    let found = Full.factorize(delta, storage: .f32, exactFor: (base, tuned))
    #expect(found.factors[0].tensor.dtype == .f64)
    let stored = found.factors[0].tensor
    let split = SplitTensor(decodingF64: stored.rawBytes, shape: [4])
    let restored = try Full.adaptedWeight(
      base, Factors([Full.difference: split.high, lowPart: split.low]), multiplier: 1)
    for (actual, expected) in zip(restored.elements, tuned.elements) {
      #expect(abs(actual - expected) <= expected.ulp)
    }
  }
}
