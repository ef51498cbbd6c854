import Adapters
import Safetensors
import Tensors
import TestSupport
import Testing

/// What must hold for every algorithm of the registry, with factors from the golden cases.
@Suite struct AlgorithmLawTests {
  /// Every algorithm has cases, so that none escapes the laws.
  @Test func everyAlgorithmHasGoldenCases() throws {
    let covered = try Set(GoldenCase.names.map { try GoldenCase($0).algorithm })
    #expect(covered == Set(allAlgorithms.map { $0.name }))
  }

  @Test(arguments: GoldenCase.names)
  func multiplierZeroChangesNoBit(name: String) throws {
    let golden = try GoldenCase(name)
    let base = golden.base.tensor()
    let weight = try golden.adapter.adapt(weight: base, multiplier: 0)
    #expect(weight.shape == base.shape)
    #expect(weight.elements.map(\.bitPattern) == base.elements.map(\.bitPattern))
  }

  /// All algorithms so far add something to the weight: twice the multiplier, twice the change.
  @Test(arguments: GoldenCase.names)
  func changeIsLinearInTheMultiplier(name: String) throws {
    let golden = try GoldenCase(name)
    let zero = Tensor(zeros: golden.base.shape)
    var once = try golden.adapter.adapt(weight: zero, multiplier: 0.25)
    once.scale(by: 2)
    // Powers of two are exact, so every rounding is the same.
    #expect(try golden.adapter.adapt(weight: zero, multiplier: 0.5) == once)
  }

  @Test func namesSuffixesAndMarkersAreDistinct() {
    #expect(Set(allAlgorithms.map { $0.name }).count == allAlgorithms.count)
    let markers = allAlgorithms.flatMap { Array($0.markers) }
    #expect(Set(markers).count == markers.count)
    for algorithm in allAlgorithms {
      let names = Set(algorithm.suffixes.map(\.name))
      #expect(names.isSuperset(of: algorithm.markers), "\(algorithm.name)")
    }
    let endings = allAlgorithms.flatMap { $0.suffixes.filter { $0.name != "diff_b" } }
      .flatMap(\.endings)
    #expect(Set(endings).count == endings.count)
  }
}
