import Adapters
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Any adapter in the factors of another algorithm, with the error that this leaves.
@Suite struct AdapterConversionTests {
  static let weights: [Shape] = [[16, 24], [16, 12, 3, 3]]

  /// Factors as training might leave them: first ones with noise on all.
  static func adapter(
    _ algorithm: any AdapterAlgorithm.Type, for base: Tensor
  ) throws -> Adapter {
    var generator = SeededGenerator(seed: 7)
    var settings = AdapterSettings(rank: 4, alpha: 2)
    settings.factor = 4
    var factors = try algorithm.initialFactors(for: BaseWeight(base), settings, using: &generator)
    for (index, suffix) in factors.values.keys.sorted().enumerated() {
      let noise = Tensor(random: factors.values[suffix]!.shape, seed: UInt64(50 + index))
      factors.values[suffix]!.add(noise, times: 0.2)
    }
    return Adapter(algorithm: algorithm, factors: factors)
  }

  static let algorithms: [any AdapterAlgorithm.Type] = [
    LoRA.self, LoHa.self, LoKr.self, IA3.self, GLoRA.self, DiagOFT.self, BOFT.self, Full.self,
  ]

  @Test(arguments: algorithms.indices, weights)
  func statesTheTrueError(index: Int, weight: Shape) throws {
    let base = Tensor(random: weight, seed: 3)
    let adapter = try Self.adapter(Self.algorithms[index], for: base)
    let name = Self.algorithms[index].name
    var delta = try adapter.adapt(weight: base, multiplier: 1)
    delta.subtract(base)
    var settings = FactorizationSettings(storage: .f16, allowsFull: false)
    settings.factor = 4
    let targets: [any ExtractableAlgorithm.Type] = [LoRA.self, LoKr.self]
    for target in targets {
      #expect(
        adapter.needsBase(for: target) == !["lora", "loha", "lokr", "full"].contains(name))
      for policy in [RankPolicy.fixed(1), .fixed(16), .error(0.5)] {
        let found = try adapter.converted(
          to: target, of: base, policy: policy, settings: settings)
        let error = relativeError(try found.readDelta(of: weight), delta)
        // W' − W is rounded to f32 where the change depends on the weight.
        #expect(
          abs(found.relativeError - error) <= 2e-3 * error + 1e-6, "\(name) \(policy)")
        if target == LoRA.self, policy == .fixed(16) { #expect(error < 1e-3, "\(name)") }
        if target == LoRA.self, case .error(let bound) = policy { #expect(error <= bound + 1e-6) }
      }
    }
  }

  /// A magnitude of DoRA makes the change depend on the weight.
  @Test func bakesDecompositions() throws {
    let base = Tensor(random: [16, 24], seed: 4)
    let plain = try Self.adapter(LoRA.self, for: base)
    let adapter = Adapter(
      algorithm: LoRA.self, factors: plain.factors,
      decomposition: WeightDecomposition(
        magnitude: Tensor(random: [16, 1], seed: 5), axis: .outputs))
    #expect(adapter.needsBase(for: LoRA.self))
    #expect(try adapter.lowRankChange(for: base.shape) == nil)
    let settings = FactorizationSettings(storage: .f32, allowsFull: false)
    let found = try adapter.converted(
      to: LoRA.self, of: base, policy: .fixed(16), settings: settings)
    let tuned = try adapter.adapt(weight: base, multiplier: 1)
    expectClose(base + (try found.readDelta(of: [16, 24])), tuned, tolerance: 1e-6)
  }

  /// The change needs no base where it does not depend on it: that of a large weight is not drowned.
  @Test func addsNothingOfTheBase() throws {
    var base = Tensor(random: [16, 24], seed: 6)
    base.scale(by: 1e6)
    let adapter = try Self.adapter(LoHa.self, for: base)
    let change = try adapter.change(of: base)
    let exact = try #require(try adapter.lowRankChange(for: base.shape)).delta
    expectClose(change.delta, exact, tolerance: 1e-6)
  }
}
