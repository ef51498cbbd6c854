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

/// Adapters whose change depends on the weight, alone and together.
@Suite struct SeveralAdaptersTests {
  static let shape: Shape = [16, 8]
  static let weight = Tensor(random: shape, seed: 1)

  /// `m.weight` with adapters of those algorithms at those multipliers.
  private func merged(
    _ adapters: [(name: String, multiplier: Float)], into weight: EncodedTensor? = nil,
    scale: Tensor? = nil
  ) async throws -> [String: EncodedTensor] {
    let folder = TemporaryFolder()
    var base = ["m.weight": weight ?? EncodedTensor(Self.weight, as: .f32)]
    base["m.scale_weight"] = scale.map { EncodedTensor($0, as: .f32) }
    let path = try folder.write("base.safetensors", base)
    let strengths = try adapters.map { name, multiplier in
      let index = UInt64(try #require(RandomModule.names.firstIndex(of: name)))
      return Strength(
        path: try folder.write(
          "\(index).safetensors",
          RandomModule.encoded("m", of: name, for: Self.shape, seed: 7 + index)),
        denoiser: multiplier)
    }
    try await merge(path, strengths, to: folder.file("m.safetensors"), as: .generic)
    return try TensorFile(opening: folder.file("m.safetensors")).contents
  }

  private func weight(_ adapters: [(name: String, multiplier: Float)]) async throws -> Tensor {
    try #require(try await merged(adapters)["m.weight"]).decoded()
  }

  /// W + Σ (Wᵢ' − W), whatever the order: a rounding of f32 for each of the adapters.
  @Test func changesAddUpInAnyOrder() async throws {
    let adapters = RandomModule.names.enumerated().map {
      (name: $1, multiplier: Float($0 % 5) * 0.4 - 0.7)
    }
    var expected = Self.weight
    for adapter in adapters {
      expected.add(try await weight([adapter]))
      expected.subtract(Self.weight)
    }
    for order in [adapters, adapters.reversed(), adapters.sorted { $0.name < $1.name }] {
      expectClose(try await weight(order), expected, tolerance: 1e-6)
    }
  }

  /// W'(m) = W + m · (W'(1) − W), of all algorithms.
  @Test(arguments: RandomModule.names)
  func multiplierIsLinear(name: String) async throws {
    let whole = try await weight([(name, 1)])
    #expect(relativeError(whole, Self.weight) > 0.1)
    for multiplier in [-1.5, 0.25] as [Float] {
      var expected = Self.weight
      expected.scale(by: 1 - multiplier)
      expected.add(whole, times: multiplier)
      expectClose(
        try await weight([(name, multiplier)]), expected, tolerance: 2e-6, "\(name) \(multiplier)")
    }
  }

  /// An adapter at 0 leaves no trace, beside others either.
  @Test(arguments: RandomModule.names)
  func zeroIsBitExact(name: String) async throws {
    #expect(try await weight([(name, 0)]) == Self.weight)
    let other = (name: name == "lora" ? "diag-oft" : "lora", multiplier: Float(0.5))
    #expect(try await weight([(name, 0), other]) == (try await weight([other])))
  }

  /// Computed in f32 from the widened base, and rounded once.
  @Test(arguments: ["dora on outputs", "dora on inputs", "diag-oft", "boft"])
  func narrowBases(name: String) async throws {
    let adapters = [(name: name, multiplier: Float(0.8)), (name: "lora", multiplier: 0.5)]
    let narrow = EncodedTensor(Self.weight, as: .bf16)
    let wide = try #require(
      try await merged(adapters, into: EncodedTensor(narrow.decoded(), as: .f32))["m.weight"])
    let found = try #require(try await merged(adapters, into: narrow)["m.weight"])
    #expect(found == EncodedTensor(wide.decoded(), as: .bf16))
  }

  /// The norms are those of the dequantized weight. Three bits of mantissa are off by a sixteenth of
  /// a number at most, and by half of the smallest step near zero.
  @Test(arguments: ["dora on outputs", "dora on inputs", "diag-oft", "boft"])
  func scaledBases(name: String) async throws {
    let codes = EncodedTensor(Self.weight, as: .f8e4m3)
    let scale: Float = 0.25
    var plain = codes.decoded()
    plain.scale(by: scale)
    let adapters = [(name: name, multiplier: Float(0.8))]
    let wide = try #require(
      try await merged(adapters, into: EncodedTensor(plain, as: .f32))["m.weight"]
    ).decoded()
    let found = try await merged(adapters, into: codes, scale: Tensor([1], [scale]))
    let step = try #require(found["m.scale_weight"]).decoded().elements[0]
    let values = try #require(found["m.weight"]).decoded()
    for i in wide.elements.indices {
      let error = abs(values.elements[i] * step - wide.elements[i])
      #expect(error <= abs(wide.elements[i]) / 15 + step * 0x1p-9, "\(name) at \(i)")
    }
  }

  /// One file of a module of every kind: each as if it were alone.
  @Test func algorithmsMixInAFile() async throws {
    let names = GoldenCase.folders.flatMap { folder in
      GoldenCase.names.filter { $0.hasPrefix(folder + "/") && !$0.contains("fp8") }.prefix(4)
    }
    let folder = TemporaryFolder()
    var (base, adapter) = ([String: EncodedTensor](), [String: EncodedTensor]())
    for (index, name) in names.enumerated() {
      let golden = try GoldenCase(name)
      base["m\(index).weight"] = golden.base.stored
      base["m\(index).bias"] = golden.bias?.stored
      for (suffix, view) in golden.factors { adapter["m\(index).\(suffix)"] = view.stored }
    }
    let report = try await merge(
      folder.write("base.safetensors", base),
      [Strength(path: folder.write("a.safetensors", adapter))], to: folder.file("m.safetensors"),
      as: .generic,
      settings: MergeSettings(
        filter: ModuleFilter(), assertions: [.principalSingularVectors], threads: 2))
    #expect(report.matched == names.count)
    let found = try TensorFile(opening: folder.file("m.safetensors"))
    for (index, name) in names.enumerated() {
      let expected = try GoldenCase(name).merged("1").decoded()
      let actual = try #require(found.tensors["m\(index).weight"]).tensor()
      // f32 against float64; a step of 16 bits where the two fall on the sides of a tie.
      expectClose(actual, expected, tolerance: 4e-3, name)
    }
  }

  /// More numbers than are computed at once: rows are independent, also beside one another.
  @Test func stripsEqualTheWhole() async throws {
    let shape: Shape = [1036, 2048]
    let weight = Tensor(random: shape, seed: 3)
    let folder = TemporaryFolder()
    let base = try folder.write("base.safetensors", ["m.weight": EncodedTensor(weight, as: .f32)])
    var expected = weight
    let names = ["dora on outputs", "ia3 on inputs", "glora", "lora", "full"]
    let strengths = try names.enumerated().map { index, name in
      let path = try folder.write(
        "\(index).safetensors",
        RandomModule.encoded("m", of: name, for: shape, seed: UInt64(index)))
      let adapter = try AdapterFile(opening: path).modules[0].adapter(for: shape)
      expected.add(try adapter.adapt(weight: weight, multiplier: 0.5))
      expected.subtract(weight)
      return Strength(path: path, denoiser: 0.5)
    }
    try await merge(base, strengths, to: folder.file("m.safetensors"), as: .generic)
    let found = try TensorFile(opening: folder.file("m.safetensors"))
    expectClose(found.tensors["m.weight"]!.tensor(), expected, tolerance: 1e-6)
  }
}
