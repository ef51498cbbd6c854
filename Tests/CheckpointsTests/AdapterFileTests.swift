import Adapters
import Checkpoints
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// How the keys of a file become modules.
@Suite struct AdapterFileTests {
  static let up = EncodedTensor(Tensor(random: [6, 2], seed: 1), as: .f32)
  static let down = EncodedTensor(Tensor(random: [2, 4], seed: 2), as: .f32)

  /// A file that vanishes after it has been read.
  private func open(
    _ tensors: [String: EncodedTensor], metadata: [String: String] = [:]
  ) throws -> AdapterFile {
    let folder = TemporaryFolder()
    return try AdapterFile(opening: folder.write("a.safetensors", tensors, metadata: metadata))
  }

  @Test(arguments: GoldenCase.spellings)
  func readsEverySpelling(name: String) throws {
    let golden = try GoldenCase(name)
    let file = try AdapterFile(golden.file)
    #expect(file.modules.map(\.name) == ["module"])
    let module = try #require(file.modules.first)
    #expect(module.algorithm.name == LoRA.name)
    #expect(module.alpha == 2)
    #expect(module.rank == 4)
    #expect(Set(module.views.keys) == ["lora_up.weight", "lora_down.weight"])
    try module.check(base: golden.base.shape)
    for multiplier in GoldenCase.multipliers {
      let adapter = try module.adapter(for: golden.base.shape)
      // f32 sums against float64.
      expectClose(
        try adapter.adapt(weight: golden.base.tensor(), multiplier: Float(multiplier)!),
        golden.merged(multiplier).decoded(), tolerance: 1e-5, "\(name) at \(multiplier)")
    }
  }

  @Test func coversTheSpellingsOfTheField() {
    #expect(GoldenCase.spellings.count >= 7)
  }

  @Test(arguments: GoldenCase.names)
  func groupsTheGoldenCases(name: String) throws {
    let golden = try GoldenCase(name)
    let module = try #require(AdapterFile(golden.file).modules.first { $0.name == "module" })
    #expect(module.algorithm.name == golden.algorithm)
    guard golden.reshaped == nil else { return }
    try module.check(base: golden.base.shape)
    let scale = try #require(golden.file.metadata["scale"].flatMap(Float.init))
    let found = try module.adapter(for: golden.base.shape).factors.scale
    #expect(abs(found - scale) <= scale.magnitude.ulp)
    #expect((module.biasView != nil) == golden.factors.keys.contains { biasSuffixes.contains($0) })
  }

  @Test func keepsTheOrderOfTheFile() throws {
    let file = try AdapterFile(opening: Fixtures.path("lora/sd1-small/kohya.safetensors"))
    #expect(file.modules.count == 294 + 108)
    #expect(file.modules.count { $0.algorithm.name == Norm.name } == 108)
    #expect(file.unrecognized.isEmpty)
    var names: [String] = []
    for key in file.file.tensors.keys {
      let module = key.split(separator: ".")[0]
      if names.last != String(module) { names.append(String(module)) }
    }
    #expect(file.modules.map(\.name) == names)
  }

  /// Equal copies under two spellings are one factor; unequal ones are an error.
  @Test func mergesEqualDuplicatesOnly() throws {
    var tensors = ["m.lora_up.weight": Self.up, "m.lora_down.weight": Self.down]
    tensors["m.lora_B.weight"] = Self.up
    let file = try open(tensors)
    #expect(file.modules.count == 1)
    #expect(file.modules[0].views.count == 2)
    tensors["m.lora_B.weight"] = EncodedTensor(Tensor(zeros: [6, 2]), as: .f32)
    let error = #expect(throws: CheckpointError.self) { try open(tensors) }
    #expect(
      error?.description.hasSuffix(
        "module 'm': 'lora_up.weight' stands in the file more than once with different values: "
          + "m.lora_B.weight, m.lora_up.weight") == true)
  }

  @Test func rejectsMixedAlgorithms() throws {
    let error = #expect(throws: CheckpointError.self) {
      try open([
        "m.lora_up.weight": Self.up, "m.lora_down.weight": Self.down,
        "m.diff": EncodedTensor(Tensor(zeros: [6, 4]), as: .f32),
      ])
    }
    #expect(
      error?.description.hasSuffix(
        "module 'm': expected the tensors of one algorithm, found those of lora and full") == true)
  }

  @Test func rejectsTensorsOfAnotherAlgorithm() throws {
    let error = #expect(throws: CheckpointError.self) {
      try open([
        "m.diff": EncodedTensor(Tensor(zeros: [6, 4]), as: .f32),
        "m.lora_mid.weight": Self.up,
      ])
    }
    #expect(
      error?.description.hasSuffix(
        "module 'm': tensor 'm.lora_mid.weight' does not belong to full") == true)
  }

  /// Suffixes that no algorithm knows are told apart from the modules beside them.
  @Test func listsUnknownSuffixes() throws {
    let file = try open([
      "m.lora_up.weight": Self.up, "m.lora_down.weight": Self.down, "m.mystery": Self.up,
      "n.oft_R.weight": Self.up, "n.alpha": EncodedTensor(Tensor(scalar: 1), as: .f32),
      "bundle_emb.x.clip_l": Self.up,
    ])
    #expect(file.modules.map(\.name) == ["m"])
    #expect(
      Set(file.unrecognized) == ["m.mystery", "n.oft_R.weight", "n.alpha", "bundle_emb.x.clip_l"])
  }

  @Test(arguments: ["diff_b", "b_norm"])
  func readsABiasAlone(suffix: String) throws {
    let file = try open(["m.\(suffix)": EncodedTensor(Tensor([3], [1, 2, 3]), as: .f32)])
    let module = try #require(file.modules.first)
    #expect(!module.changesWeight)
    #expect(module.biasView != nil)
    try module.check(base: [3, 5])
    let adapter = try module.adapter(for: [3, 5])
    let weight = Tensor(random: [3, 5], seed: 4)
    #expect(try adapter.adapt(weight: weight, multiplier: 2) == weight)
    #expect(try adapter.adapt(bias: Tensor(zeros: [3]), multiplier: 2).elements == [2, 4, 6])
    let error = #expect(throws: CheckpointError.self) { try module.check(base: [4, 5]) }
    #expect(error?.description.hasSuffix("'\(suffix)': expected shape [4], found [3]") == true)
  }

  @Test func rejectsWhatIsNoAdapter() throws {
    let path = Fixtures.path("real/waifu2x-cunet/base.safetensors")
    let error = #expect(throws: CheckpointError.self) { try AdapterFile(opening: path) }
    #expect(
      error?.description.hasPrefix(
        "\(path): expected an adapter, found no tensor with a known") == true)
  }

  @Test func rejectsNumbersThatAreNotFinite() throws {
    let file = try open([
      "m.lora_up.weight": EncodedTensor(Tensor([1, 1], [.nan]), as: .f16),
      "m.lora_down.weight": EncodedTensor(Tensor([1, 1], [1]), as: .f16),
    ])
    let error = #expect(throws: CheckpointError.self) {
      try file.modules[0].adapter(for: [1, 1])
    }
    #expect(
      error?.description.hasSuffix(
        "tensor 'm.lora_up.weight': expected finite numbers, found NaN or infinity") == true)
  }
}
