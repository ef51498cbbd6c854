import Adapters
import Checkpoints
import Foundation
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Names, fused weights, alphas and files of converted adapters.
@Suite struct FormatConversionTests {
  private static let flux = ModelFamily.named("flux")
  private static let qkv = "lora_unet_double_blocks_0_img_attn_qkv"
  private static let linear1 = "lora_unet_single_blocks_0_linear1"
  private static let parts = ["to_q", "to_k", "to_v"].map {
    "transformer.transformer_blocks.0.attn.\($0)"
  }

  private static func lora(
    _ name: String, _ shape: Shape, rank: Int = 2, alpha: Float? = 1.5, seed: UInt64 = 1
  ) -> [String: EncodedTensor] {
    var tensors = [
      "\(name).lora_up.weight": EncodedTensor(
        Tensor(random: [shape.rows, rank], seed: 10 * seed), as: .f32),
      "\(name).lora_down.weight": EncodedTensor(
        Tensor(random: [rank, shape.columns], seed: 10 * seed + 1), as: .f32),
    ]
    if let alpha { tensors["\(name).alpha"] = EncodedTensor(Tensor(scalar: alpha), as: .f32) }
    return tensors
  }

  /// Largest difference between the rows of a fused change and those of its parts.
  private static func difference(_ whole: Tensor, _ parts: [Tensor]) -> Float {
    zip(whole.elements, parts.flatMap(\.elements)).map { abs($0 - $1) }.max() ?? .infinity
  }

  /// Every algorithm that a fused weight may be adapted by: the parts' rows are those of the whole, in
  /// the default policies of both formats. f32 products of numbers below 2 in another order, and the
  /// singular values of LoKr's factors: 1e-5.
  @Test(arguments: [
    "lora", "loha", "lokr", "full", "set", "glora", "dora on outputs", "loha + dora",
  ])
  func splitsWhatIsFused(algorithm: String) async throws {
    let folder = TemporaryFolder()
    let source = try folder.write(
      "a.safetensors",
      RandomModule.encoded(Self.qkv, of: algorithm, for: [24, 8], seed: 3, bias: true))
    let there = folder.file("there.safetensors")
    let report = try await convert([source], to: there, .diffusers, as: Self.flux)
    #expect(report.split == 1 && report.written == 3)
    let back = folder.file("back.safetensors")
    try await convert([there], to: back, .kohya, as: Self.flux)
    let weight = Tensor(random: [24, 8], seed: 5)
    func adapted(_ path: FilePath, _ name: String, _ rows: Range<Int>) throws -> Tensor {
      let module = try #require(
        AdapterFile(opening: path).modules.first { $0.name == name })
      let part = weight.rows(rows)
      return try module.adapter(for: part.shape).adapt(weight: part, multiplier: 1)
    }
    let expected = try adapted(source, Self.qkv, 0..<24)
    let split = try Self.parts.enumerated().map { index, name in
      try adapted(there, name, 8 * index..<8 * (index + 1))
    }
    let errors = (
      Self.difference(expected, split),
      Self.difference(expected, [try adapted(back, Self.qkv, 0..<24)])
    )
    print("\(algorithm): split \(errors.0), back \(errors.1)")
    #expect(errors.0 < 1e-5 && errors.1 < 1e-5, "\(algorithm): \(errors)")
  }

  /// Rows that depend on each other have no parts; the message says what to do.
  @Test(arguments: ["diag-oft", "boft", "dora on inputs"])
  func refusesWhatHasNoParts(algorithm: String) async throws {
    let folder = TemporaryFolder()
    let source = try folder.write(
      "a.safetensors", RandomModule.encoded(Self.qkv, of: algorithm, for: [24, 8], seed: 3))
    let error = await #expect(throws: OperationError.self) {
      try await convert(
        [source], to: folder.file("b.safetensors"), .diffusers, as: Self.flux)
    }
    let text = error.map(String.init(describing:)) ?? ""
    #expect(text.contains(Self.qkv) && text.contains("--lenient"), "\(text)")
    #expect(folder.entries == ["a.safetensors"])
  }

  /// Independent parts of other ranks and scales, one of them missing: f32 products of numbers below 2,
  /// a scale multiplied into one factor: 1e-6 of the largest.
  @Test func fusesWhatIsSplit() async throws {
    let folder = TemporaryFolder()
    let names = ["attn.to_q", "attn.to_v", "proj_mlp"].map {
      "transformer.single_transformer_blocks.0.\($0)"
    }
    var tensors = Self.lora(names[0], [4, 6], rank: 2, alpha: 1, seed: 1)
    tensors.merge(Self.lora(names[1], [4, 6], rank: 3, alpha: 4, seed: 2)) { $1 }
    tensors.merge(Self.lora(names[2], [16, 6], rank: 1, alpha: nil, seed: 3)) { $1 }
    let source = try folder.write("a.safetensors", tensors)
    let target = folder.file("b.safetensors")
    let report = try await convert([source], to: target, .kohya, as: Self.flux)
    #expect(report.fused == 1 && report.written == 1)
    let module = try AdapterFile(opening: target).modules[0]
    #expect(module.name == Self.linear1)
    #expect(module.rank == 6 && module.alpha == 6)
    let found = try #require(try changes(target)[Self.linear1])
    let sources = try changes(source)
    let expected = try names.map { try #require(sources[$0]) }
    let error = Self.difference(
      found, [expected[0], Tensor(zeros: [4, 6]), expected[1], expected[2]])
    print("fused: \(error)")
    #expect(error < 2e-6)
    // And apart again, at the ranks that they had but for the one that is cut by nothing.
    let back = folder.file("c.safetensors")
    try await convert([target], to: back, .diffusers, as: Self.flux)
    let modules = try AdapterFile(opening: back).modules
    #expect(
      Dictionary(uniqueKeysWithValues: modules.map { ($0.name, $0.rank) })
        == [names[0]: 2, names[1]: 3, names[2]: 1])
    for (name, change) in try changes(back) {
      expectClose(change, sources[name]!, tolerance: 2e-6)
    }
  }

  /// Equal scales stay where they are: not a bit of any factor changes.
  @Test func fusesEqualScalesExactly() async throws {
    let folder = TemporaryFolder()
    var tensors: [String: EncodedTensor] = [:]
    for (index, name) in Self.parts.enumerated() {
      tensors.merge(Self.lora(name, [4, 6], rank: 2, alpha: 1, seed: UInt64(index))) { $1 }
    }
    let source = try folder.write("a.safetensors", tensors)
    let target = folder.file("b.safetensors")
    try await convert([source], to: target, .kohya, as: Self.flux)
    let found = try TensorFile(opening: target).contents
    #expect(found["\(Self.qkv).alpha"]?.decoded().elements == [3])
    let downs = Self.parts.flatMap { tensors["\($0).lora_down.weight"]!.bytes }
    #expect(found["\(Self.qkv).lora_down.weight"]?.bytes == downs)
  }

  /// One layer under two names: once if both are the same, an error that names both if not.
  @Test func namesAppearOnce() async throws {
    let folder = TemporaryFolder()
    let names = [
      "lora_unet_input_blocks_4_1_proj_in", "lora_unet_down_blocks_1_attentions_0_proj_in",
    ]
    let sdxl = ModelFamily.named("sdxl")
    func file(_ seeds: [UInt64]) throws -> FilePath {
      try folder.write(
        "a.safetensors",
        Self.lora(names[0], [4, 4], seed: seeds[0])
          .merging(Self.lora(names[1], [4, 4], seed: seeds[1])) { $1 })
    }
    let target = folder.file("b.safetensors")
    let report = try await convert([try file([1, 1])], to: target, .kohya, as: sdxl)
    #expect(report.duplicates == 1 && report.written == 1)
    let different = try file([1, 2])
    let error = await #expect(throws: CheckpointError.self) {
      try await convert([different], to: target, .kohya, as: sdxl)
    }
    let text = error.map(String.init(describing:)) ?? ""
    #expect(names.allSatisfy { text.contains($0) }, "\(text)")
  }

  /// What no table knows is listed, and goes along under its own name if asked; embeddings of a bundle
  /// always do.
  @Test func unknownNamesAreListed() async throws {
    let folder = TemporaryFolder()
    let odd = "lora_unet_double_blocks_0_img_attn_qvk"
    let embedding = EncodedTensor(Tensor(random: [2, 4], seed: 9), as: .f32)
    let tensors = Self.lora(odd, [6, 4]).merging(Self.lora(Self.qkv, [6, 4])) { $1 }
      .merging(["bundle_emb.word.string_to_param.*": embedding]) { $1 }
    let source = try folder.write("a.safetensors", tensors)
    let target = folder.file("b.safetensors")
    let error = await #expect(throws: OperationError.self) {
      try await convert([source], to: target, .comfy, as: Self.flux)
    }
    #expect(error.map { "\($0)".contains(odd) } == true, "\(String(describing: error))")
    let report = try await convert([source], to: target, .comfy, as: Self.flux, lenient: true)
    #expect(report.unmatched.map(\.module) == [odd])
    let found = try TensorFile(opening: target).contents
    #expect(found["bundle_emb.word.string_to_param.*"] == embedding)
    #expect(found["\(odd).lora_B.weight"] == tensors["\(odd).lora_up.weight"])
    #expect(
      found["diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight"]
        == tensors["\(Self.qkv).lora_down.weight"])
  }

  /// A format that the names plainly do not have.
  @Test func refusesAnotherFormat() async throws {
    let folder = TemporaryFolder()
    let source = try folder.write("a.safetensors", Self.lora(Self.qkv, [6, 4]))
    let adapter = WeightedAdapter(
      file: try AdapterFile(opening: source), denoiserRatio: 1, textEncoderRatio: 1)
    #expect(throws: OperationError.self) {
      try AdapterConversion([adapter], settings: .init(source: .peft, threads: 1))
    }
    _ = try AdapterConversion([adapter], settings: .init(source: .musubi, threads: 1))
  }

  /// Alphas by every policy leave the change as it is; f32, one multiplication: 1e-6.
  @Test(arguments: ["lora", "loha", "lokr", "glora"], AlphaPolicy.allCases)
  func policiesKeepTheChange(algorithm: String, policy: AlphaPolicy) async throws {
    let folder = TemporaryFolder()
    let name = "lora_unet_double_blocks_0_img_mlp_0"
    var tensors = RandomModule.encoded(name, of: algorithm, for: [16, 8], seed: 4)
    tensors["\(name).alpha"] = EncodedTensor(Tensor(scalar: 0.7), as: .f32)
    let source = try folder.write("a.safetensors", tensors)
    let expected = try #require(try changes(source)[name])
    for format in [AdapterFormat.comfy, .diffusers, .peft] {
      let target = folder.file(format == .peft ? "folder" : "b.safetensors")
      try await convert([source], to: target, format, as: Self.flux, alpha: policy)
      let file = try TensorFile(opening: target)
      if policy == .fold { #expect(!file.tensors.keys.contains { $0.hasSuffix(".alpha") }) }
      if policy == .keep {
        let key = file.tensors.keys.first { $0.hasSuffix(".alpha") }
        #expect(key.flatMap { file.tensors[$0]?.stored } == tensors["\(name).alpha"])
      }
      // Beside an entry of the header, or in the folder, the configuration has the alpha.
      guard policy != .config || (format != .comfy && algorithm != "glora") else { continue }
      let found = try #require(try changes(target).values.first)
      expectClose(found, expected, tolerance: 2e-6)
    }
  }

  /// Readers of kohya's files want alphas; those of PEFT's a configuration of what differs.
  @Test func defaultsSuitTheReaders() async throws {
    let folder = TemporaryFolder()
    let names = (0..<3).map { "transformer.transformer_blocks.\($0).attn.to_out.0" }
    var tensors: [String: EncodedTensor] = [:]
    for (index, name) in names.enumerated() {
      let rank = index == 2 ? 3 : 2
      tensors.merge(
        Self.lora(name, [4, 4], rank: rank, alpha: index == 0 ? nil : 5, seed: UInt64(index))
      ) { $1 }
    }
    let source = try folder.write("a.safetensors", tensors)
    let kohya = folder.file("k.safetensors")
    try await convert([source], to: kohya, .kohya, as: Self.flux)
    let alphas = try AdapterFile(opening: kohya).modules.map { $0.alphaView?.tensor().elements }
    #expect(alphas == [[2], [5], [5]])
    let peft = folder.file("folder")
    try await convert([kohya], to: peft, .peft, as: Self.flux)
    #expect(
      directoryEntries(peft) == ["adapter_config.json", "adapter_model.safetensors"])
    let data = try Data(
      contentsOf: URL(filePath: peft.appending("adapter_config.json").string))
    let fields = try #require(
      try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(fields["r"] as? Int == 2 && fields["lora_alpha"] as? Int == 5)
    #expect(
      fields["rank_pattern"] as? [String: Int] == ["transformer_blocks.2.attn.to_out.0": 3])
    #expect(
      fields["alpha_pattern"] as? [String: Int] == ["transformer_blocks.0.attn.to_out.0": 2])
    // Without '--to' the format stays, its configuration included.
    let again = folder.file("again")
    let report = try await convert([peft], to: again, nil, storage: .bf16)
    #expect(report.to == "peft" && report.losses.rounded > 0)
    #expect(
      try TensorFile(opening: again).tensors.keys.sorted()
        == TensorFile(opening: peft).tensors.keys.sorted())
    #expect(
      try contents(of: again.appending("adapter_config.json"))
        == contents(of: peft.appending("adapter_config.json")))
  }

  /// Components have folders of their own, and outputs appear whole or not at all.
  @Test func componentsHaveFolders() async throws {
    let folder = TemporaryFolder()
    let sdxl = ModelFamily.named("sdxl")
    let names = [
      "lora_unet_input_blocks_4_1_proj_in", "lora_te1_text_model_encoder_layers_0_mlp_fc1",
      "lora_te2_text_model_encoder_layers_0_mlp_fc1",
    ]
    var tensors: [String: EncodedTensor] = [:]
    for (index, name) in names.enumerated() {
      tensors.merge(Self.lora(name, [4, 4], alpha: Float(index), seed: UInt64(index))) { $1 }
    }
    let source = try folder.write("a.safetensors", tensors)
    let peft = folder.file("folder")
    try await convert([source], to: peft, .peft, as: sdxl)
    #expect(directoryEntries(peft) == ["text_encoder", "text_encoder_2", "unet"])
    // By component, though PEFT's names say the folder at most.
    func components(_ path: FilePath) throws -> [String] {
      let report = try Inspection(opening: path, as: sdxl).report()
      let groups = try #require(report.adapter).groups
      return [report.components.map(\.name), groups.map(\.component)]
        .map { $0.joined(separator: " ") }
    }
    #expect(try components(peft) == ["te1 te2 unet", "te1 te2 unet"])
    #expect(try components(peft.appending("unet")) == ["unet", "unet"])
    let hcp = try await convert([source], to: folder.file("h.safetensors"), .hcp, as: sdxl)
    #expect(
      hcp.files.map { FilePath($0).lastComponent!.string }.sorted()
        == ["text_encoder-h.safetensors", "unet-h.safetensors"])
    for inputs in [[peft], hcp.files.map { FilePath($0) }] {
      let back = folder.file("b.safetensors")
      try await convert(inputs, to: back, .kohya, as: sdxl)
      #expect(try TensorFile(opening: back).contents == tensors)
    }
    await #expect(throws: OperationError.self) {
      try await convert([source], to: folder.file("c.safetensors"), .peft, as: sdxl)
    }
    #expect(
      folder.entries == [
        "a.safetensors", "b.safetensors", "folder", "text_encoder-h.safetensors",
        "unet-h.safetensors",
      ])
  }

  /// A header that has the alphas keeps them when only the number format changes.
  @Test func headersStayWhereNamesStay() async throws {
    let folder = TemporaryFolder()
    let name = "lora_unet_double_blocks_0_img_mlp_0"
    let source = try folder.write("a.safetensors", Self.lora(name, [4, 4]))
    let header = folder.file("b.safetensors")
    try await convert([source], to: header, .diffusers, as: Self.flux, alpha: .config)
    let again = folder.file("c.safetensors")
    let report = try await convert([header], to: again, nil, storage: .bf16)
    #expect(report.alpha == "config" && report.to == "diffusers")
    let entries = try [header, again].map {
      try TensorFile(opening: $0).metadata["lora_adapter_metadata"]
    }
    #expect(entries[0] != nil && entries[0] == entries[1])
    #expect(try AdapterFile(opening: again).modules[0].alpha == 1.5)
  }

  /// Models that no table lists are named by their checkpoint.
  @Test func checkpointsName() async throws {
    let folder = TemporaryFolder()
    let keys = [("layer_one.to_out.0.weight", Shape([4, 4])), ("layer.two.weight", [4, 4])]
    let layout = try ModelLayout(of: keys, as: .generic)
    let source = try folder.write(
      "a.safetensors", Self.lora("lora_unet_layer_one_to_out_0", [4, 4]))
    let target = folder.file("b.safetensors")
    await #expect(throws: OperationError.self) {
      try await convert([source], to: target, .comfy)
    }
    try await convert([source], to: target, .comfy, base: layout)
    #expect(
      try TensorFile(opening: target).tensors.keys.contains(
        "diffusion_model.layer_one.to_out.0.lora_A.weight"))
    let back = folder.file("c.safetensors")
    try await convert([target], to: back, .kohya, base: layout)
    #expect(try TensorFile(opening: back).contents == TensorFile(opening: source).contents)
  }
}
