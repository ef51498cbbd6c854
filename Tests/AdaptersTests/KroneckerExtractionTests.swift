import Adapters
import Foundation
import LinearAlgebra
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

/// What LoKr finds for a change: as near as a search can come, and as it says.
@Suite struct KroneckerExtractionTests {
  /// A case of `scripts/fixtures/make-kronecker-fixture.py`.
  struct Search: Decodable {
    let factor: Int
    let rank: Int
    let decomposesBoth: Bool
    let isUnbalanced: Bool
    /// The least that 1000 random restarts of gradient descent found.
    let relativeError: Double
  }

  static let searches = try! TensorFile(
    opening: Fixtures.path("extract/kronecker.safetensors"))
  static let names = searches.metadata.keys.filter { $0 != "format" }.sorted()

  static func exact(factor: Int? = nil, isUnbalanced: Bool = false) -> FactorizationSettings {
    var settings = FactorizationSettings(storage: .f32)
    settings.factor = factor
    settings.isUnbalanced = isUnbalanced
    return settings
  }

  @Test(arguments: names)
  func isNoWorseThanASearch(name: String) throws {
    let search = try JSONDecoder().decode(
      Search.self, from: Data(Self.searches.metadata[name]!.utf8))
    var settings = Self.exact(factor: search.factor, isUnbalanced: search.isUnbalanced)
    settings.decomposesBoth = search.decomposesBoth
    let found = try LoKr.factorize(
      WeightChange(Self.searches.tensors[name]!.tensor()), policy: .fixed(search.rank),
      settings: settings)
    #expect(found.rank == search.rank)
    #expect(found.factors.contains { $0.suffix == "lokr_w1_a" } == search.decomposesBoth)
    // Both sides are at a stationary point to some 1e-7.
    #expect(
      found.relativeError <= search.relativeError * (1 + 1e-5),
      "\(found.relativeError), by search \(search.relativeError)")
    #expect(found.iterations != nil)
  }

  /// Steps only take error away, so that what is found leaves less than the leading singular pair
  /// with its sides truncated.
  @Test(arguments: names.filter { $0.contains("rivals") })
  func refinementGains(name: String) throws {
    let search = try JSONDecoder().decode(
      Search.self, from: Data(Self.searches.metadata[name]!.utf8))
    let change = WeightChange(Self.searches.tensors[name]!.tensor())
    var settings = Self.exact(factor: search.factor)
    settings.decomposesBoth = search.decomposesBoth
    let start = try #require(
      try LoKr.options(for: change, depth: search.rank, settings: settings)
        .first { $0.policy == .fixed(search.rank) })
    let found = try LoKr.factorize(change, policy: .fixed(search.rank), settings: settings)
    #expect(found.squaredError < 0.99999 * start.squaredError)
  }

  @Test func coversConvolutionsAndBothSides() {
    #expect(Self.names.count >= 15)
  }

  static let weights: [Shape] = [[24, 18], [18, 24, 3, 3], [12, 20, 3], [12, 10, 2, 3, 2]]

  /// A change that is a Kronecker product, w2 of rank 2.
  static func product(_ weight: Shape, _ layout: KroneckerLayout, seed: UInt64) -> Tensor {
    let width = layout.inner.columns * weight.kernel.reduce(1, *)
    return Tensor(random: layout.outer, seed: seed).kronecker(
      Tensor(random: [layout.inner.rows, 2], seed: seed + 1)
        .matmul(Tensor(random: [2, width], seed: seed + 2))
    ).reshaped(weight)
  }

  @Test(arguments: weights, [false, true])
  func productsComeBack(weight: Shape, isUnbalanced: Bool) throws {
    let layout = KroneckerLayout(for: weight, factor: 2, isUnbalanced: isUnbalanced)
    let delta = Self.product(weight, layout, seed: 41)
    for policy in [RankPolicy.fixed(2), .fixed(1000), .ratio(1e-3), .error(1e-5)] {
      let found = try LoKr.factorize(
        WeightChange(delta), policy: policy,
        settings: Self.exact(factor: 2, isUnbalanced: isUnbalanced))
      // Products of f32 factors.
      expectClose(try found.readDelta(of: weight), delta, tolerance: 2e-6, "\(weight) \(policy)")
      let inner: Shape = [layout.inner.rows, layout.inner.columns * weight.kernel.reduce(1, *)]
      let isWhole = policy == .fixed(1000) || 2 * (inner.rows + inner.columns) >= inner.count
      #expect(found.rank == (isWhole ? nil : 2), "\(policy)")
      #expect(found.factors.contains { $0.suffix == "lokr_w2" } == isWhole)
      let shapes = Dictionary(
        uniqueKeysWithValues: found.factors.map { ($0.suffix, $0.tensor.shape) })
      try LoKr.check(shapes, base: weight)
    }
  }

  /// Among all layouts the one of which the change is made takes away all of it.
  @Test(arguments: [2, 3, 4, 6])
  func findsTheLayout(factor: Int) throws {
    let weight: Shape = [24, 36]
    let layout = KroneckerLayout(for: weight, factor: factor)
    let delta = Self.product(weight, layout, seed: 51)
    for policy in [RankPolicy.error(1e-4), .fixed(2)] {
      let found = try LoKr.factorize(
        WeightChange(delta), policy: policy, settings: Self.exact())
      #expect(
        found.detail == "factor \(factor) (\(layout.outer.rows)×\(layout.outer.columns))",
        "\(policy): \(found.detail ?? "")")
      #expect(found.relativeError < 1e-5)
    }
  }

  /// The sum of several products needs a higher rank the lower the bound.
  @Test(arguments: [DType.f16, .f32], [nil, 2, 4])
  func keepsTheErrorBound(storage: DType, factor: Int?) throws {
    let weight: Shape = [32, 24, 3]
    let layout = KroneckerLayout(for: weight, factor: 4)
    var delta = Self.noisyProduct(weight, layout, noise: 0.02)
    delta.scale(by: 1e-3)
    var settings = Self.exact(factor: factor)
    settings.storage = storage
    var ranks: [Int] = []
    for bound in [0.9, 0.6, 0.3, 0.1] {
      let found = try LoKr.factorize(
        WeightChange(delta), policy: .error(bound), settings: settings)
      let error = relativeError(try found.readDelta(of: weight), delta)
      #expect(abs(found.relativeError - error) <= 1e-4 * error)
      guard factor != 2 || bound > 0.7 else { continue }
      #expect(error <= bound, "\(bound)")
      guard let rank = found.rank else { continue }
      ranks.append(rank)
      guard rank > 1 else { continue }
      let shorter = try LoKr.factorize(
        WeightChange(delta), policy: .fixed(rank - 1), settings: Self.same(settings, found))
      #expect(shorter.relativeError > bound, "rank \(rank - 1) would do for \(bound)")
    }
    #expect(ranks == ranks.sorted() && (factor == 2 || ranks[0] < ranks[ranks.count - 1]))
  }

  /// A product whose w2 has a falling spectrum, and noise.
  static func noisyProduct(_ weight: Shape, _ layout: KroneckerLayout, noise: Float) -> Tensor {
    let inner = Shape([layout.inner.rows, layout.inner.columns * weight.kernel.reduce(1, *)])
    return Tensor(random: layout.outer, seed: 61)
      .kronecker(decayingDelta(inner, decay: 0.7, seed: 62)).reshaped(weight)
      .adding(Tensor(random: weight, seed: 64), times: noise)
  }

  /// The settings with the factor that was found.
  static func same(
    _ settings: FactorizationSettings, _ found: Factorization
  ) -> FactorizationSettings {
    var settings = settings
    settings.factor = found.detail.flatMap { Int($0.split(separator: " ")[1]) }
    return settings
  }

  /// Where nothing keeps the bound, both sides whole of the nearest layout.
  @Test func givesWhatThereIsForAnImpossibleBound() throws {
    let delta = Tensor(random: [24, 36], seed: 71)
    let found = try LoKr.factorize(
      WeightChange(delta), policy: .error(0.1), settings: Self.exact())
    #expect(found.rank == nil)
    for factor in [2, 3, 4, 6] {
      let other = try LoKr.factorize(
        WeightChange(delta), policy: .fixed(1000), settings: Self.exact(factor: factor))
      #expect(found.squaredError <= other.squaredError)
    }
  }

  /// Ranks 1 to 3 and both sides whole of every layout; what is found leaves no more.
  @Test(arguments: [[24, 36], [12, 18, 3, 3]] as [Shape], [false, true])
  func reachesItsOptions(weight: Shape, decomposesBoth: Bool) throws {
    let change = WeightChange(
      Self.noisyProduct(weight, KroneckerLayout(for: weight, factor: 3), noise: 0.3))
    var settings = Self.exact()
    settings.decomposesBoth = decomposesBoth
    let options = try LoKr.options(for: change, depth: 3, settings: settings)
    #expect(Set(options.map { $0.settings.factor }).count > 1)
    #expect(options.contains { $0.tensors.contains { $0.suffix == "lokr_w2" } })
    for option in options {
      let found = try LoKr.factorize(change, policy: option.policy, settings: option.settings)
      #expect(found.squaredError <= option.squaredError * (1 + 1e-5))
      #expect(
        found.factors.map(\.suffix) == option.tensors.map(\.suffix)
          && found.factors.map(\.tensor.shape) == option.tensors.map(\.shape))
      #expect(found.byteCount == option.byteCount)
    }
  }

  /// A prime weight has no layout but the trivial one.
  @Test func storesWhatCannotBeDivided() throws {
    let delta = decayingDelta([13, 11], decay: 0.5, seed: 81)
    var settings = Self.exact()
    let low = try LoKr.factorize(WeightChange(delta), policy: .fixed(2), settings: settings)
    let plain = try LoRA.factorize(WeightChange(delta), policy: .fixed(2), settings: settings)
    #expect(abs(low.squaredError - plain.squaredError) <= 1e-4 * plain.squaredError)
    let whole = try LoKr.factorize(WeightChange(delta), policy: .fixed(20), settings: settings)
    #expect(whole.algorithm == Full.name)
    settings.allowsFull = false
    let kept = try LoKr.factorize(WeightChange(delta), policy: .fixed(20), settings: settings)
    #expect(kept.algorithm == LoKr.name && kept.relativeError < 1e-6)
  }

  @Test func fullPolicyStoresTheDelta() throws {
    let delta = Tensor(random: [12, 18], seed: 92)
    let found = try LoKr.factorize(WeightChange(delta), policy: .full, settings: Self.exact())
    #expect(found.algorithm == Full.name)
    #expect(try found.readDelta(of: [12, 18]) == delta)
  }

  @Test func isTheSameEveryTime() throws {
    let change = WeightChange(Tensor(random: [12, 18], seed: 91))
    let bytes = try (0..<2).map { _ in
      try LoKr.factorize(change, policy: .fixed(1), settings: Self.exact(factor: 3)).factors
        .map(\.tensor.bytes)
    }
    #expect(bytes[0] == bytes[1])
  }

  /// A sample tells the layout of a large change: none of the others removes more for a byte, by 0.5 %.
  @Test func samplesTellTheLayout() throws {
    let shape: Shape = [640, 640]
    let inner = Tensor(random: [80, 4], seed: 82).matmul(Tensor(random: [4, 80], seed: 83))
    let delta = (Tensor(random: shape, seed: 81) * 0.2).adding(
      kronecker: Tensor(random: [8, 8], seed: 84), inner, times: 0.1)
    let change = WeightChange(delta)
    var settings = FactorizationSettings(storage: .f32)
    func efficiency(_ settings: FactorizationSettings) throws -> Double {
      let found = try LoKr.factorize(change, policy: .fixed(4), settings: settings)
      return found.keptEnergy / Double(found.byteCount)
    }
    let found = try efficiency(settings)
    let layouts = LoKr.layouts(for: shape, settings)
    #expect(layouts.count > 4)
    for (factor, _) in layouts {
      settings.factor = factor
      #expect(try found >= 0.995 * efficiency(settings), "factor \(factor)")
    }
  }
}
