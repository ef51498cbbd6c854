import Adapters
import Checkpoints
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Methods that pick entries, against peft's own functions.
@Suite struct PickingTests {
  private static func combined(
    _ file: TensorFile, _ settings: CombinationSettings
  ) async throws -> Tensor {
    let folder = TemporaryFolder()
    let weights = file.metadata["weights"]!.split(separator: " ").map { Float($0)! }
    var sources: [[AdapterModule]] = []
    for index in weights.indices {
      let change = file.tensors["change.\(index)"]!.stored
      sources.append(
        try AdapterFile(opening: folder.write("\(index).safetensors", ["m.diff": change])).modules)
    }
    var settings = settings
    settings.linearRank = 100
    let result = try await CombinationTests.combined(sources, weights, settings)
    return try CombinationTests.delta(result[0], of: Tensor(zeros: [12, 10]))
  }

  @Test(arguments: [0.3, 1.0])
  func equalsPEFT(density: Double) async throws {
    let file = try TensorFile(opening: Fixtures.path("combine/picked.safetensors"))
    var cases: [(CombinationSettings.Method, CombinationSettings.MajoritySign, String)] = [
      (.ties, .total, "ties.total.\(density)"), (.ties, .frequency, "ties.frequency.\(density)"),
      (.magnitudePrune, .total, "magnitude_prune.\(density)"),
    ]
    // Random picks are peft's own only where nothing is dropped.
    if density == 1 {
      cases += [(.dareLinear, .total, "dare_linear.1.0"), (.dareTies, .total, "dare_ties.1.0")]
    }
    for (method, sign, key) in cases {
      var settings = CombinationSettings(method: method)
      settings.density = density
      settings.majoritySign = sign
      // Through factors of full rank in f32.
      expectClose(
        try await Self.combined(file, settings), try #require(file.tensors[key]).tensor(),
        tolerance: 2e-6, key)
    }
  }

  /// Kept entries are scaled by 1/density, about that share of them, the same for the same seed.
  @Test func randomPicksKeepTheirShare() async throws {
    let folder = TemporaryFolder()
    let change = Tensor(random: [128, 96], seed: 3)
    let path = try folder.write("a.safetensors", ["m.diff": EncodedTensor(change, as: .f32)])
    let modules = try AdapterFile(opening: path).modules
    func picked(_ seed: UInt64) async throws -> Tensor {
      var settings = CombinationSettings(method: .dareLinear)
      settings.density = 0.4
      settings.seed = seed
      settings.linearRank = 96
      let result = try await CombinationTests.combined([modules, modules], [1, 0], settings)
      return try CombinationTests.delta(result[0], of: Tensor(zeros: [128, 96]))
    }
    let first = try await picked(1)
    var kept = 0
    for (found, value) in zip(first.elements, change.elements) {
      // Factors of full rank in f32 restore an entry to some 1e-6 of the largest.
      if abs(found) < 1e-4 { continue }
      kept += 1
      #expect(abs(found - value / 0.4) < 1e-4)
    }
    let share = Double(kept) / Double(change.count)
    // Five standard deviations of 12288 draws.
    #expect(abs(share - 0.4) < 0.022, "\(share)")
    #expect(try await picked(1) == first)
    #expect(try await picked(2) != first)
  }
}
