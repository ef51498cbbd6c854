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

@Suite struct BlockWeightTests {
  private static func names(_ family: String) throws -> FamilyNames {
    let family = try #require(ModelFamily.all.first { $0.name == family })
    return try #require(FamilyNames(of: family))
  }

  /// `Fixtures/combine/blocks.json`: indices by kohya's rules.
  @Test(arguments: ["sd1", "sdxl"])
  func indicesAreThoseOfKohya(family: String) throws {
    let text = try contents(of: Fixtures.path("combine/blocks.json"))
    let tables = try JSONDecoder().decode([String: [String: Int]].self, from: Data(text))
    let table = try #require(tables[family])
    #expect(table.count >= 10)
    let names = try Self.names(family)
    // Weight 100 + index, so that it tells its place; SDXL has no list of 26, the indices of one are
    // those of 20 with a gap.
    let kept = Array(0...25).filter { family == "sd1" || (0...9) ~= $0 || (13...22) ~= $0 }
    let weights = try BlockWeights("[" + kept.map { "\(100 + $0)" }.joined(separator: ",") + "]")
    for (module, index) in table {
      #expect(weights.weight(of: module, in: names) == Float(100 + index), "\(module)")
    }
  }

  /// The shorter lists leave what they do not name as it is.
  @Test func shorterListsNameBlocksWithAttention() throws {
    let sd1 = try Self.names("sd1")
    let short = try BlockWeights((0..<17).map { "\(2 + $0)" }.joined(separator: ","))
    #expect(short.weight(of: "lora_te_text_model_encoder_layers_0_mlp_fc1", in: sd1) == 2)
    #expect(short.weight(of: "lora_unet_down_blocks_1_attentions_0_proj_in", in: sd1) == 5)
    #expect(short.weight(of: "lora_unet_up_blocks_3_attentions_2_proj_in", in: sd1) == 18)
    #expect(short.weight(of: "lora_unet_down_blocks_0_downsamplers_0_conv", in: sd1) == 1)
    let sdxl = try Self.names("sdxl")
    let twelve = try BlockWeights((0..<12).map { "\(2 + $0)" }.joined(separator: ","))
    #expect(twelve.weight(of: "lora_unet_input_blocks_4_1_proj_in", in: sdxl) == 3)
    #expect(twelve.weight(of: "lora_unet_down_blocks_1_attentions_0_proj_in", in: sdxl) == 3)
    #expect(twelve.weight(of: "lora_unet_middle_block_1_proj_in", in: sdxl) == 7)
    #expect(twelve.weight(of: "lora_unet_output_blocks_5_1_proj_in", in: sdxl) == 13)
  }

  @Test func fluxHas61() throws {
    let names = try Self.names("flux")
    let weights = try BlockWeights((0..<61).map { "\($0 + 2)" }.joined(separator: ","))
    for (module, place) in [
      ("lora_te1_text_model_encoder_layers_0_mlp_fc1", 0),
      ("lora_unet_double_blocks_0_img_mlp_0", 3),
      ("lora_unet_double_blocks_18_txt_attn_qkv", 21), ("lora_unet_single_blocks_0_linear1", 22),
      ("lora_unet_single_blocks_37_linear2", 59), ("lora_unet_final_layer_linear", 60),
      ("lora_unet_img_in", 2), ("transformer.transformer_blocks.7.attn.to_q", 10),
      ("transformer.single_transformer_blocks.30.proj_out", 52),
    ] {
      #expect(weights.weight(of: module, in: names) == Float(place + 2), "\(module)")
    }
  }

  @Test func otherLengthsAreRefused() {
    let error = #expect(throws: BlockWeights.Failure.self) { try BlockWeights("1,1,1") }
    #expect(
      error?.description
        == "expected 12 or 20 block weights for SDXL, 17 or 26 for SD1 and SD2, or 61 for Flux, found 3"
    )
  }

  @Test func patternsFitAnySpelling() throws {
    let names = try Self.names("flux")
    let weights = try BlockWeights("double_blocks.0-5=0.5; single_blocks=2; te1=3; *=0.25")
    for (module, weight) in [
      ("lora_unet_double_blocks_5_img_mlp_0", 0.5), ("lora_unet_double_blocks_6_img_mlp_0", 0.25),
      ("transformer.transformer_blocks.2.ff.net.0.proj", 0.5),
      ("diffusion_model.single_blocks.3.linear2", 2),
      ("lora_te1_text_model_encoder_layers_0_mlp_fc1", 3),
    ] as [(String, Float)] {
      #expect(weights.weight(of: module, in: names) == weight, "\(module)")
    }
    let generic = try BlockWeights("blocks.*.attn=0")
    #expect(generic.weight(of: "lora_unet_blocks_12_attn_q", in: nil) == 0)
    #expect(generic.weight(of: "blocks.12.mlp", in: nil) == 1)
  }

  /// A list is for the model of its length alone.
  @Test func listsAreForTheirModel() throws {
    let own: [Int: Set<String>] = [
      12: ["sdxl"], 20: ["sdxl"], 17: ["sd1", "sd2"], 26: ["sd1", "sd2"], 61: ["flux", "chroma"],
    ]
    for (count, families) in own {
      let weights = try BlockWeights([String](repeating: "1", count: count).joined(separator: ","))
      for family in ModelFamily.all where family != .generic {
        if families.contains(family.name) {
          try weights.check(for: [family])
        } else {
          let error = #expect(throws: BlockWeights.Failure.self) {
            try weights.check(for: [family])
          }
          #expect(error?.description.contains("for \(family.title), found \(count)") == true)
        }
      }
      try weights.check(for: [])
      try weights.check(for: [.generic])
    }
    for family in ModelFamily.all { try BlockWeights("a=1").check(for: [family]) }
  }

  /// The patterns of all options, for the whole of any spelling.
  @Test func patternsAreThoseOfAllOptions() throws {
    let names = try Self.names("flux")
    let weights = try BlockWeights(
      "double_blocks\\.(0|1[0-8])\\..*=0.5;*single_blocks.3?.*=2;re:.*txt_mod.*=3;*=0.25")
    for (module, weight) in [
      ("lora_unet_double_blocks_0_img_mlp_0", 0.5), ("lora_unet_double_blocks_1_img_mlp_0", 0.25),
      ("transformer.transformer_blocks.12.ff.net.0.proj", 0.5),
      ("lora_unet_single_blocks_30_linear2", 2), ("lora_unet_single_blocks_3_linear2", 0.25),
      ("lora_unet_double_blocks_5_txt_mod_lin", 3),
    ] as [(String, Float)] {
      #expect(weights.weight(of: module, in: names) == weight, "\(module)")
    }
  }

  @Test func whatFitsNothingIsTold() throws {
    let names = try Self.names("sd1")
    let modules = [
      "lora_unet_down_blocks_0_attentions_0_proj_in", "lora_te_text_model_encoder_layers_0_mlp_fc1",
    ]
    let weights = try BlockWeights("down_blcks.0=0;proj_in=1;.*attn.*=1;te1=2;unet.9-11=0")
    let notices = weights.notices(on: modules, in: names)
    #expect(notices.count == 3)
    #expect(
      notices.first
        == "'--block_weights': 'down_blcks.0' fits none of 2 modules; did you mean 'down.blocks.0'?"
    )
    let list = try BlockWeights([String](repeating: "1", count: 61).joined(separator: ","))
    #expect(list.notices(on: ["lora_unet_mid_block_resnets_0_conv1"], in: nil).count == 1)
    #expect(try BlockWeights("proj_in=1;*=0").notices(on: modules, in: names).isEmpty)
  }

  /// A merge multiplies the ratio of every module by that of its block.
  @Test func servesMerging() async throws {
    let folder = TemporaryFolder()
    let shape: Shape = [16, 12]
    let names = ["blocks.0.attn", "blocks.1.attn", "blocks.2.mlp"]
    var (base, adapter) = ([String: EncodedTensor](), [String: EncodedTensor]())
    for (index, name) in names.enumerated() {
      base["\(name).weight"] = EncodedTensor(Tensor(random: shape, seed: UInt64(index)), as: .f32)
      adapter.merge(RandomModule.encoded(name, of: "lora", for: shape, seed: UInt64(index + 5))) {
        $1
      }
    }
    let path = try folder.write("a.safetensors", adapter)
    let file = try AdapterFile(opening: path)
    var weighted = WeightedAdapter(file: file, denoiserRatio: 0.8, textEncoderRatio: 1)
    weighted.blockWeights = try BlockWeights("blocks.0=0.5;blocks.1-5.attn=-2;blocks=0")
    let settings = try MergeSettings(filter: ModuleFilter(), threads: 2)
    let plan = try MergePlan(
      base: BaseModel(opening: folder.write("base.safetensors", base), as: .generic),
      adapters: [weighted], settings: settings)
    _ = try await Merging(plan, settings: settings).run(
      writing: folder.file("m.safetensors"), metadata: [:], progress: .silent)
    let merged = try TensorFile(opening: folder.file("m.safetensors"))
    for (name, weight) in zip(names, [Float(0.5), -2, 0]) {
      let module = try #require(file.modules.first { $0.name == name })
      var expected = try #require(base["\(name).weight"]).decoded()
      let delta = try CombinationTests.delta(module, of: Tensor(zeros: shape))
      expected.add(delta, times: 0.8 * weight)
      expectClose(
        try #require(merged.tensors["\(name).weight"]).tensor(), expected, tolerance: 1e-6)
    }
  }

  /// The names of the lists' blocks are selectors, and the web UI's names of lists are lists.
  @Test func knowsBlocksAndListsByTheirNames() throws {
    let names = try Self.names("sd1")
    let modules = [
      "lora_unet_down_blocks_1_attentions_0_proj_in": "IN04",
      "lora_unet_mid_block_attentions_0_proj_in": "MID",
      "lora_unet_up_blocks_3_attentions_2_proj_in": "OUT11",
      "lora_te_text_model_encoder_layers_0_mlp_fc1": "BASE",
    ]
    let weights = try BlockWeights("in04=2;M00=3;OUT11=4;BASE=5;*=0")
    for (module, weight) in zip(
      ["IN04", "MID", "OUT11", "BASE"].map { block in modules.first { $0.value == block }!.key },
      [2, 3, 4, 5] as [Float])
    {
      #expect(weights.weight(of: module, in: names) == weight, "\(module)")
    }
    let known = try BlockWeights("ins")
    try known.check(for: [ModelFamily.named("sd1")!])
    #expect(throws: BlockWeights.Failure.self) {
      try known.check(for: [ModelFamily.named("sdxl")!])
    }
    let other = #expect(throws: BlockWeights.Failure.self) {
      try known.check(for: [ModelFamily.named("flux")!])
    }
    #expect(other?.description.contains("found the list INS, which is for") == true, "\(other!)")
    let commas = #expect(throws: BlockWeights.Failure.self) { try BlockWeights("IN04=0,IN05=1") }
    #expect(commas?.description.hasSuffix("several stand apart by ';'") == true, "\(commas!)")
    let expected = ["BASE": 1, "IN04": 1, "MID": 0, "OUT11": 0] as [String: Float]
    for (module, block) in modules {
      #expect(known.weight(of: module, in: names) == expected[block], "\(module)")
    }
    let near = try BlockWeights("down_block=0;MIDX=0").notices(on: Array(modules.keys), in: names)
    #expect(near.count == 2)
    #expect(near.first?.hasSuffix("did you mean 'down.blocks'?") == true, "\(near)")
    #expect(near.last?.hasSuffix("did you mean 'MID'?") == true, "\(near)")
  }

  @Test(arguments: ["MIDDLE", "[1,2,3]", "1,x", "a=b", "=1", "a=1=2", "nan,1", ""])
  func refuses(text: String) {
    #expect(throws: BlockWeights.Failure.self) { try BlockWeights(text) }
  }
}
