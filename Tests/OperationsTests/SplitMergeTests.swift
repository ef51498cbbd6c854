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

/// Adapters that name a fused weight, merged into a base that keeps its parts apart, against a merge
/// into the fused base.
@Suite struct SplitMergeTests {
  static let width = 8
  static let names = RandomModule.names + ["tlora"]

  /// A fused layer and its parts in the other layout.
  struct Layer: Sendable, CustomTestStringConvertible {
    let family: String
    /// Names that adapters give the fused layer.
    let adapterNames: [String]
    /// Keys of its weight and bias.
    let fused: (weight: String, bias: String)
    /// Names of its parts with their rows.
    let parts: [(name: String, rows: Int)]
    var testDescription: String { adapterNames[0] }

    var rows: Int { parts.reduce(0) { $0 + $1.rows } }
  }

  static let layers = [
    Layer(
      family: "flux",
      adapterNames: [
        "lora_unet_double_blocks_0_img_attn_qkv", "diffusion_model.double_blocks.0.img_attn.qkv",
        "double_blocks.0.img_attn._orig_mod.qkv",
      ],
      fused: ("double_blocks.0.img_attn.qkv.weight", "double_blocks.0.img_attn.qkv.bias"),
      parts: ["q", "k", "v"].map { ("transformer_blocks.0.attn.to_\($0)", width) }),
    Layer(
      family: "flux", adapterNames: ["lora_unet_single_blocks_0_linear1"],
      fused: ("single_blocks.0.linear1.weight", "single_blocks.0.linear1.bias"),
      parts: ["attn.to_q", "attn.to_k", "attn.to_v"].map {
        ("single_transformer_blocks.0.\($0)", width)
      } + [("single_transformer_blocks.0.proj_mlp", 4 * width)]),
    Layer(
      family: "sd3", adapterNames: ["lora_unet_joint_blocks_0_context_block_attn_qkv"],
      fused: (
        "joint_blocks.0.context_block.attn.qkv.weight", "joint_blocks.0.context_block.attn.qkv.bias"
      ),
      parts: ["q", "k", "v"].map { ("transformer_blocks.0.attn.add_\($0)_proj", width) }),
    Layer(
      family: "hunyuan-video", adapterNames: ["lora_unet_double_blocks_0_txt_attn_qkv"],
      fused: ("double_blocks.0.txt_attn_qkv.weight", "double_blocks.0.txt_attn_qkv.bias"),
      parts: ["q", "k", "v"].map { ("transformer_blocks.0.attn.add_\($0)_proj", width) }),
    Layer(
      family: "sd2",
      adapterNames: [
        "lora_te_transformer_resblocks_0_attn_in_proj", "lora_te_transformer_resblocks_0_attn",
      ],
      fused: (
        "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight",
        "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_bias"
      ),
      parts: ["q", "k", "v"].map {
        ("text_encoder.text_model.encoder.layers.0.self_attn.\($0)_proj", width)
      }),
  ]

  private static func tensor(_ shape: Shape, _ seed: UInt64) -> Tensor {
    Tensor(random: shape, seed: seed)
  }

  /// A base that has the layer fused or in parts, with the same numbers.
  private func base(
    _ layer: Layer, isFused: Bool, dtype: DType = .f32, in folder: borrowing TemporaryFolder
  ) throws -> FilePath {
    let weight = Self.tensor([layer.rows, Self.width], 1)
    let bias = Self.tensor([layer.rows], 2)
    guard !isFused else {
      return try folder.write(
        "fused.safetensors",
        [
          layer.fused.weight: EncodedTensor(weight, as: dtype),
          layer.fused.bias: EncodedTensor(bias, as: dtype),
        ])
    }
    var (tensors, start) = ([String: EncodedTensor](), 0)
    for (name, rows) in layer.parts {
      tensors[name + ".weight"] = EncodedTensor(weight.rows(start..<start + rows), as: dtype)
      tensors[name + ".bias"] = EncodedTensor(bias.rows(start..<start + rows), as: dtype)
      start += rows
    }
    return try folder.write("split.safetensors", tensors)
  }

  private func settings(filter: ModuleFilter? = nil) throws -> MergeSettings {
    MergeSettings(
      filter: try filter ?? ModuleFilter(), assertions: [.principalSingularVectors], threads: 2)
  }

  private func adapter(
    _ algorithm: String, _ layer: Layer, name: String? = nil, seed: UInt64 = 3,
    in folder: borrowing TemporaryFolder
  ) throws -> Strength {
    let name = name ?? layer.adapterNames[0]
    return Strength(
      path: try folder.write(
        "\(algorithm) \(name).safetensors",
        RandomModule.encoded(
          name, of: algorithm, for: [layer.rows, Self.width], seed: seed, bias: true)),
      denoiser: 0.7, textEncoder: 0.7)
  }

  /// The parts of a merged base, one under the other.
  private func stacked(
    _ layer: Layer, _ path: FilePath, _ ending: String
  ) throws -> [Float] {
    let file = try TensorFile(opening: path)
    return try layer.parts.flatMap {
      try #require(file.tensors[$0.name + ending]).tensor().elements
    }
  }

  private func compare(
    _ layer: Layer, _ adapters: [Strength], in folder: borrowing TemporaryFolder
  ) async throws {
    let family = ModelFamily.named(layer.family)
    var found: [FilePath] = []
    for isFused in [true, false] {
      let output = folder.file("\(isFused).safetensors")
      try await merge(
        base(layer, isFused: isFused, in: folder), adapters, to: output, as: family,
        settings: settings())
      found.append(output)
    }
    let fused = try TensorFile(opening: found[0])
    for (key, ending) in [(layer.fused.weight, ".weight"), (layer.fused.bias, ".bias")] {
      let expected = try #require(fused.tensors[key]).tensor()
      let parts = try stacked(layer, found[1], ending)
      // The same products over other blocks of rows: some roundings of f32.
      expectClose(Tensor(expected.shape, parts), expected, tolerance: 1e-6, key)
      #expect(
        relativeError(expected, Self.tensor(expected.shape, ending == ".weight" ? 1 : 2)) > 0.1)
    }
  }

  @Test(arguments: layers, names)
  func partsEqualTheWhole(layer: Layer, algorithm: String) async throws {
    let folder = TemporaryFolder()
    try await compare(layer, [adapter(algorithm, layer, in: folder)], in: folder)
  }

  @Test func everySpellingIsFound() async throws {
    for layer in Self.layers {
      for name in layer.adapterNames {
        let folder = TemporaryFolder()
        try await compare(layer, [adapter("lora", layer, name: name, in: folder)], in: folder)
      }
    }
  }

  /// Several adapters, some by rows and some not, in any order.
  @Test(arguments: [layers[1]])
  func severalAdapters(layer: Layer) async throws {
    let folder = TemporaryFolder()
    let adapters = try ["diag-oft", "lora", "lokr", "dora on inputs"].enumerated().map {
      try adapter($1, layer, seed: UInt64($0), in: folder)
    }
    try await compare(layer, adapters, in: folder)
    try await compare(layer, adapters.reversed(), in: folder)
  }

  /// Patterns see the parts.
  @Test func patternsChooseParts() async throws {
    let layer = Self.layers[0]
    let folder = TemporaryFolder()
    let base = try base(layer, isFused: false, in: folder)
    let filter = try ModuleFilter(exclude: [".*to_k"], include: [])
    let report = try await merge(
      base, [adapter("lokr", layer, in: folder)], to: folder.file("m.safetensors"),
      as: ModelFamily.named(layer.family), settings: settings(filter: filter))
    #expect(report.matched == 1 && report.changedTensors == 4)
    let (before, after) = (
      try TensorFile(opening: base).contents,
      try TensorFile(opening: folder.file("m.safetensors")).contents
    )
    for (key, tensor) in before {
      #expect((after[key] == tensor) == key.contains("to_k"), "\(key)")
    }
  }

  @Test func missingPartsAreNamed() throws {
    let layer = Self.layers[0]
    let folder = TemporaryFolder()
    let tensors = try TensorFile(opening: base(layer, isFused: false, in: folder)).contents
    let adapter = try adapter("lora", layer, in: folder)
    let base = try folder.write("part.safetensors", tensors.filter { !$0.key.contains("to_k") })
    let family = ModelFamily.named("flux")
    let (plan, _) = try mergePlan(base, [adapter], as: family)
    #expect(
      plan.unmatched.map(\.reason) == [
        "of the parts of this layer the base lacks transformer_blocks.0.attn.to_k"
      ])
    // For inspection it is the same.
    let match = try Inspection(opening: adapter.path).match(
      with: BaseModel(opening: base, as: family))
    #expect(match.unmatched.map(\.reason) == plan.unmatched.map(\.reason))
    let wrong = try folder.write(
      "wrong.safetensors",
      RandomModule.encoded(layer.adapterNames[0], of: "lora", for: [16, 8], seed: 1))
    let (other, _) = try mergePlan(
      self.base(layer, isFused: false, in: folder), [Strength(path: wrong)], as: family)
    #expect(
      other.unmatched.map(\.reason) == [
        "'lora_up.weight': expected shape [24, 2], found [16, 2], for a base weight [24, 8]"
      ])
  }

  /// Under both names a layer would change twice.
  @Test func refusesWholeAndPartTogether() throws {
    let layer = Self.layers[0]
    let folder = TemporaryFolder()
    var tensors = RandomModule.encoded(
      layer.adapterNames[0], of: "lora", for: [24, 8], seed: 1)
    tensors.merge(
      RandomModule.encoded(
        "transformer.transformer_blocks.0.attn.to_q", of: "lora", for: [8, 8], seed: 2)
    ) { $1 }
    let path = try folder.write("a.safetensors", tensors)
    for isFused in [true, false] {
      let error = #expect(throws: CheckpointError.self) {
        try mergePlan(
          base(layer, isFused: isFused, in: folder), [Strength(path: path)],
          as: ModelFamily.named("flux"))
      }
      #expect(error?.description.contains("both change layer") == true)
    }
  }

  /// A bias where the parts have none: each gets its rows.
  @Test func partsWithoutBiasGetOne() async throws {
    let layer = Self.layers[0]
    let folder = TemporaryFolder()
    let tensors = try TensorFile(opening: base(layer, isFused: false, in: folder)).contents
    let base = try folder.write("part.safetensors", tensors.filter { !$0.key.hasSuffix(".bias") })
    let path = try folder.write(
      "a.safetensors",
      [layer.adapterNames[0] + ".diff_b": EncodedTensor(Self.tensor([24], 5), as: .f32)])
    try await merge(
      base, [Strength(path: path)], to: folder.file("m.safetensors"),
      as: ModelFamily.named("flux"))
    #expect(
      try stacked(layer, folder.file("m.safetensors"), ".bias") == Self.tensor([24], 5).elements)
  }
}
