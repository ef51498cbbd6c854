import Adapters
import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What a merge says of every tensor, against the files that it writes.
@Suite struct MeasuredMergeTests {
  private static let base = Fixtures.path("real/fashion-ddpm/base.safetensors")
  private static let trained = Fixtures.path("real/fashion-ddpm/trained-lora-r4.safetensors")

  private func settings(_ storage: DType?) throws -> MergeSettings {
    var settings = MergeSettings(storage: storage, filter: try ModuleFilter(), threads: 2)
    settings.measures = true
    return settings
  }

  private func distance(_ a: TensorFile, _ b: TensorFile, _ key: String) throws -> Double {
    try #require(a.tensors[key]).tensor().squaredDistance(to: #require(b.tensors[key]).tensor())
      .squareRoot()
  }

  /// Norms of the changes of both adapters together, of each alone, and of what rounding did.
  @Test func normsAreThoseOfTheFiles() async throws {
    let folder = TemporaryFolder()
    let tuned = Fixtures.path("real/fashion-ddpm/tuned.safetensors")
    _ = try await extract(
      Self.base, tuned, to: folder.file("e.safetensors"),
      .perModule(linear: .fixed(4), convolution: .fixed(4)), norms: true, biases: true)
    let adapters = [
      Strength(path: folder.file("e.safetensors"), denoiser: 0.8),
      Strength(path: Self.trained, denoiser: -0.5),
    ]
    let report = try await merge(
      Self.base, adapters, to: folder.file("b.safetensors"), settings: try settings(.bf16))
    for (name, some) in [("m", adapters), ("0", [adapters[0]]), ("1", [adapters[1]])] {
      try await merge(
        Self.base, some, to: folder.file("\(name).safetensors"), settings: try settings(.f32))
    }
    let base = try TensorFile(opening: Self.base)
    let rounded = try TensorFile(opening: folder.file("b.safetensors"))
    let exact = try TensorFile(opening: folder.file("m.safetensors"))
    let alone = try (0..<2).map { try TensorFile(opening: folder.file("\($0).safetensors")) }
    let changes = try #require(report.changes)
    #expect(changes.count == report.changedTensors)
    #expect(changes.contains { $0.adapters.count == 2 } && changes.contains { $0.isBias })
    for change in changes {
      let key = change.tensor
      // Sums of f32 in another order.
      func expectEqual(_ a: Double, _ b: Double, _ what: String) {
        #expect(abs(a - b) <= 1e-5 * max(b, 1e-6 * change.norm), "\(key), \(what): \(a), \(b)")
      }
      expectEqual(
        change.norm, try #require(base.tensors[key]).tensor().sumOfSquares.squareRoot(), "norm")
      expectEqual(change.change, try distance(exact, base, key), "change")
      expectEqual(
        try #require(change.rounding), try distance(rounded, exact, key), "rounding")
      for part in change.adapters {
        expectEqual(
          part.change, try distance(alone[part.adapter], base, key), "adapter \(part.adapter)")
      }
      #expect(change.before == "F32" && change.after == "BF16")
    }
    #expect(report.adapters.map(\.file) == adapters.map(\.path.string))
    #expect(report.adapters.map(\.ratio) == [0.8, -0.5].map { Double(Float($0)) })
  }

  /// To measure changes no byte of the output, in strips, with rotations and in scaled 8 bits too.
  @Test(arguments: ["lora", "oft", "ia3"], [false, true])
  func measuringChangesNothing(algorithm: String, isScaled: Bool) async throws {
    let folder = TemporaryFolder()
    let shape: Shape = [16, 8]
    var tensors = [
      "m.weight": EncodedTensor(Tensor(random: shape, seed: 1), as: isScaled ? .f8e4m3 : .f16)
    ]
    if isScaled { tensors["m.scale_weight"] = EncodedTensor(Tensor(scalar: 0.5), as: .f32) }
    let base = try folder.write("base.safetensors", tensors)
    let name = try #require(RandomModule.names.first { $0.contains(algorithm) })
    let adapter = try folder.write(
      "a.safetensors", RandomModule.encoded("m", of: name, for: shape, seed: 7))
    for measures in [false, true] {
      var settings = MergeSettings(filter: try ModuleFilter(), threads: 2)
      settings.measures = measures
      let report = try await merge(
        base, [Strength(path: adapter)], to: folder.file("\(measures).safetensors"), as: .generic,
        settings: settings)
      #expect((report.changes != nil) == measures)
      if measures {
        let change = try #require(report.changes?.first)
        #expect(change.tensor == "m.weight" && change.change > 0)
        #expect((change.rounding == nil) == isScaled)
      }
    }
    #expect(
      try TensorFile(opening: folder.file("true.safetensors")).contents
        == TensorFile(opening: folder.file("false.safetensors")).contents)
  }
}
