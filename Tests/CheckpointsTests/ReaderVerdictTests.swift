import Adapters
import Checkpoints
import Foundation
import ModelFamilies
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What the tables say of modules, as the programs were run.
@Suite struct ReaderVerdictTests {
  /// Figures of programs that read a DoRA by outputs wrongly.
  @Test(arguments: ["comfyui", "a1111", "forge", "invokeai"])
  func outputsOfDoRAAreMisread(name: String) throws {
    let reader = try #require(AdapterReader.named(name))
    func findings(_ trait: ModuleTrait) -> [ReadingFinding] {
      reader.findings(
        in: [ReadModule(name: "lora_unet_m", algorithm: "lora", traits: [trait])], as: .kohya,
        of: .named("sdxl"))
    }
    let found = findings(.outputMagnitudes)
    #expect(found.map(\.verdict) == [.wrong])
    #expect(found[0].error.allSatisfy { $0 > 0.1 } && !found[0].error.isEmpty)
    #expect(findings(.inputMagnitudes).isEmpty)
    #expect(reader.magnitudes(of: .named("sdxl")) == .inputs)
    // Rules about single layers of Flux are none about DoRA.
    if reader.families.map({ $0.contains("flux") }) ?? true {
      #expect(reader.magnitudes(of: .named("flux")) == .inputs)
    }
  }

  /// Windows look for kohya's names in Stable Diffusion: those of diffusers are not, or partly, theirs.
  @Test(arguments: [
    ("a1111", AdapterReader.Verdict.not), ("comfyui", .not), ("forge", .not),
    ("invokeai", .refused),
    ("diffusers", .whole),
  ])
  func diffusersNamesAreNoneOfWindows(name: String, verdict: AdapterReader.Verdict) throws {
    let reader = try #require(AdapterReader.named(name))
    let module = ReadModule(
      name: "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", algorithm: "lora",
      traits: [])
    #expect(reader.verdicts(on: [module], as: .diffusers, of: .named("sd1")) == [verdict])
  }

  /// What programs' own key maps make of names, as they were run; alpha stands beside factors of rank 4.
  @Test(arguments: [
    ("sd.cpp", "lora_unet_layers_0_feed_forward_w1", AdapterFormat.kohya, "z-image", Verdict.not),
    ("sd.cpp", "lora_unet_layers_0_attention_qkv", .kohya, "z-image", .whole),
    ("sd.cpp", "diffusion_model.layers.0.feed_forward.w1", .comfy, "z-image", .whole),
    ("sd.cpp", "lora_unet_joint_blocks_0_x_block_mlp_fc1", .kohya, "sd3", .not),
    ("sd.cpp", "lora_unet_img_in", .kohya, "flux", .not),
    ("sd.cpp", "lora_unet_double_blocks_0_img_attn_qkv", .kohya, "flux", .whole),
    ("sd.cpp", "transformer.norm_out.linear", .diffusers, "flux", .wrong),
    ("sd.cpp", Self.clip, .comfy, "flux", .whole), ("sd.cpp", Self.clip, .comfy, "sdxl", .not),
    ("forge", Self.clip, .comfy, "sdxl", .not),
    ("forge", "lora_te1_text_model_encoder_layers_0_mlp_fc1", .kohya, "sdxl", .whole),
    ("forge", "transformer.transformer_blocks.0.attn.to_q", .diffusers, "sd3", .not),
    ("forge", "transformer.transformer_blocks.0.attn.to_q", .diffusers, "flux", .whole),
    ("a1111", "lora_unet_joint_blocks_0_x_block_mlp_fc1", .kohya, "sd3", .refused),
    ("a1111", "transformer.transformer_blocks.0.attn.to_q", .diffusers, "sd3", .whole),
    ("a1111", "transformer.transformer_blocks.0.ff.net.2", .diffusers, "sd3", .not),
    ("comfyui", "lora_unet_transformer_blocks_0_attn1_to_q", .kohya, "cogvideox", .not),
    ("comfyui", "diffusion_model.blocks.0.q", .comfy, "cogvideox", .whole),
    ("comfyui", "blocks.0.attn.wq", .original, "krea2", .not),
    ("comfyui", "transformer.transformer_blocks.0.attn.to_q", .diffusers, "krea2", .whole),
  ])
  func programsReadTheseNames(
    program: String, name: String, format: AdapterFormat, family: String, verdict: Verdict
  ) throws {
    let reader = try #require(AdapterReader.named(program))
    let module = ReadModule(name: name, algorithm: "lora", traits: [.alpha])
    #expect(reader.verdicts(on: [module], as: format, of: .named(family)) == [verdict])
  }

  /// stable-diffusion.cpp takes the inputs for the rank where that is 1; its names are chosen by family.
  @Test func stableDiffusionCppMisreadsRankOne() throws {
    let reader = try #require(AdapterReader.named("sd.cpp"))
    func verdict(_ rank: Int, alpha: Float?) -> Verdict {
      let shapes: [String: Shape] = ["lora_up.weight": [8, rank], "lora_down.weight": [rank, 4]]
      let module = ReadModule(
        name: "lora_unet_double_blocks_0_img_mlp_0", LoRA.self, shapes, alpha: alpha)
      return reader.verdicts(on: [module], as: .kohya, of: .named("flux"))[0]
    }
    #expect(verdict(1, alpha: 1) == .wrong)
    #expect(verdict(1, alpha: nil) == .whole)
    #expect(verdict(2, alpha: 1) == .whole)
    #expect(reader.format(for: .named("z-image")) == .comfy)
    #expect(reader.format(for: .named("sdxl")) == .kohya)
  }

  typealias Verdict = AdapterReader.Verdict
  static let clip = "text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1"

  /// What diffusers' converters of names make of them, as measured by scripts/clients/readers.py.
  @Test(arguments: [
    ("lora_unet_img_in", AdapterFormat.kohya, "flux", AdapterReader.Verdict.not),
    ("lora_unet_double_blocks_0_img_attn_proj", .kohya, "flux", .whole),
    ("lora_unet_double_blocks_0_img_attn_qkv", .kohya, "hunyuan-video", .refused),
    ("lora_unet_layers_0_attention_qkv", .kohya, "lumina2", .not),
    ("lora_unet_time_embedding_0", .kohya, "wan", .refused),
    ("lora_unet_blocks_0_self_attn_q", .kohya, "wan", .whole),
    ("diffusion_model.double_blocks.0.img_attn.proj", .comfy, "flux", .not),
    ("diffusion_model.layers.0.attention.qkv", .comfy, "z-image", .refused),
    ("diffusion_model.layers.0.attention.to_q", .musubiOther, "z-image", .whole),
    ("diffusion_model.layers.0.feed_forward.w1", .comfy, "z-image", .refused),
    ("diffusion_model.transformer_blocks.0.attn1.to_q", .comfy, "ltx2", .wrong),
    ("diffusion_model.transformer_blocks.0.attn.to_q", .comfy, "qwen-image", .whole),
  ])
  func diffusersTurnsNamesOfSomeFamilies(
    name: String, format: AdapterFormat, family: String, verdict: AdapterReader.Verdict
  ) throws {
    let reader = try #require(AdapterReader.named("diffusers"))
    // What musubi-tuner's converter writes has no alpha.
    let traits: Set<ModuleTrait> = format == .musubiOther ? [] : [.alpha]
    let module = ReadModule(name: name, algorithm: "lora", traits: traits)
    #expect(reader.verdicts(on: [module], as: format, of: .named(family)) == [verdict])
  }

  /// Without alphas diffusers takes ComfyUI's names of Z-Image, of which it has some.
  @Test(arguments: [
    ("layers.0.attention.qkv", AdapterReader.Verdict.not), ("layers.0.attention.out", .not),
    ("x_embedder", .not), ("final_layer.linear", .not), ("layers.0.feed_forward.w1", .whole),
    ("t_embedder.mlp.0", .whole),
  ])
  func diffusersSplitsNoFusedAttentionInComfyUIsNames(
    name: String, verdict: AdapterReader.Verdict
  ) throws {
    let reader = try #require(AdapterReader.named("diffusers"))
    let module = ReadModule(name: "diffusion_model.\(name)", algorithm: "lora", traits: [])
    #expect(reader.verdicts(on: [module], as: .comfy, of: .named("z-image")) == [verdict])
  }

  /// What a conversion would save is kept.
  @Test func extractionLeavesOutWhatNothingSaves() throws {
    let musubi = try #require(AdapterReader.named("musubi"))
    #expect(
      !musubi.passesOver("lora_unet_layers_0_attention_qkv", as: .kohya, of: .named("z-image")))
    #expect(
      musubi.passesOver(
        "lora_te1_text_model_encoder_layers_0_mlp_fc1", as: .kohya, of: .named("flux")))
  }

  /// Twelve tensors that Forge does not know are passed over, thirteen make it take none of the file.
  @Test(arguments: [(6, 1), (7, 2)])
  func forgeHasALimit(modules: Int, findings: Int) throws {
    let reader = try #require(AdapterReader.named("forge"))
    let unknown = (0..<modules).map {
      ReadModule(name: "m\($0)", IA3.self, ["weight": [8], "on_input": []], alpha: nil)
    }
    let found = reader.findings(in: unknown, as: .kohya, of: .named("sdxl"))
    #expect(found.count == findings)
    #expect((found.last?.verdict == .refused) == (findings == 2))
    // What helps is said with it, and which modules are meant.
    let known = ReadModule(name: "known", algorithm: "lora", traits: [])
    let whole = reader.findings(in: [known] + unknown, as: .kohya, of: .named("sdxl"))
    #expect(whole.last?.first == "m0")
    #expect(whole.last?.remedy == "--algo lora --dim 32 --base CHECKPOINT")
  }

  /// The kind that is rarer, and one of a family or a spelling that the program does not have.
  @Test func filesAreJudgedAsAWhole() throws {
    let musubi = try #require(AdapterReader.named("musubi"))
    let mixed = ["lora", "lokr", "lora"].enumerated().map {
      ReadModule(name: "m\($0)", algorithm: $1, traits: [])
    }
    let found = musubi.findings(in: mixed, as: .musubi, of: .named("wan"))
    #expect(found.map(\.first) == ["m1"])
    #expect(musubi.verdicts(on: mixed, as: .musubi, of: .named("wan")) == [.whole, .not, .whole])
    #expect(musubi.findings(in: [mixed[0]], as: .peft, of: nil).first?.remedy == "--to musubi")
    // A DoRA is a LoRA to it, and the first module decides, however few there are of its kind.
    let decomposed = [ReadModule(name: "m3", algorithm: "lora", traits: [.outputMagnitudes])]
    #expect(
      musubi.verdicts(on: [mixed[0]] + decomposed, as: .musubi, of: .named("wan")) == [
        .whole, .wrong,
      ])
    #expect(
      musubi.verdicts(on: [mixed[1], mixed[0], mixed[2]], as: .musubi, of: .named("wan"))
        == [.whole, .not, .not])
    #expect(musubi.verdicts(on: [mixed[0]], as: .kohya, of: .named("sd1")) == [.not])
    let a1111 = try #require(AdapterReader.named("a1111"))
    #expect(a1111.findings(in: [mixed[0]], as: .kohya, of: .named("flux")).map(\.verdict) == [.not])
  }

  /// Divisions for which LyCORIS 4.1.3's own loader makes other shapes than the file has, and those that it finds.
  @Test(arguments: [
    ([4, 4], [16, 16], true), ([16, 16], [4, 4], false), ([4, 4], [24, 8], true),
    ([4, 4], [8, 3], false), ([4, 2], [16, 32], false), ([8, 4], [8, 16], false),
    ([2, 4], [32, 32], true), ([4, 16], [16, 4], false), ([16, 4], [4, 32], false),
    ([3, 5], [7, 5], true), ([8, 8], [80, 40], true), ([8, 8], [6, 40], false),
    ([4, 4], [5, 96], true),
  ])
  func lycorisDividesAnew(first: [Int], second: [Int], isRead: Bool) throws {
    let reader = try #require(AdapterReader.named("lycoris"))
    let module = ReadModule(
      name: "lora_unet_m", LoKr.self, ["lokr_w1": Shape(first), "lokr_w2": Shape(second)], alpha: 1)
    #expect(reader.verdicts(on: [module], as: .kohya, of: nil) == [isRead ? .whole : .refused])
    let whole = ReadModule(name: "m", Full.self, ["diff": [8, 4]], alpha: nil)
    let lora = ["lora_up.weight": Shape([8, 2]), "lora_down.weight": [2, 4]]
    let bare = ReadModule(name: "m", LoRA.self, lora, alpha: nil)
    #expect(reader.verdicts(on: [whole, bare], as: .kohya, of: nil) == [.whole, .refused])
  }

  /// Layers of HunyuanVideo that ComfyUI calls otherwise than kohya's and musubi-tuner's files do.
  @Test(arguments: [
    ("lora_unet_double_blocks_0_img_attn_qkv", true),
    ("lora_unet_double_blocks_0_img_mlp_fc1", false),
    ("lora_unet_double_blocks_0_img_mod_linear", false),
    ("lora_unet_single_blocks_0_linear1", true),
    ("lora_unet_single_blocks_0_modulation_linear", false),
    ("lora_unet_txt_in_individual_token_refiner_blocks_0_self_attn_qkv", true),
    ("lora_unet_txt_in_individual_token_refiner_blocks_0_mlp_fc2", false),
    ("lora_unet_txt_in_t_embedder_mlp_0", false), ("lora_unet_guidance_in_mlp_2", false),
    ("lora_unet_final_layer_linear", true),
  ])
  func comfyUIKnowsItsOwnNames(name: String, isRead: Bool) throws {
    let reader = try #require(AdapterReader.named("comfyui"))
    let module = ReadModule(name: name, algorithm: "lora", traits: [])
    for family in ["hunyuan-video", "hunyuan-image"] {
      #expect(
        reader.verdicts(on: [module], as: .kohya, of: .named(family)) == [isRead ? .whole : .not])
    }
    #expect(reader.verdicts(on: [module], as: .kohya, of: .named("flux")) == [.whole])
  }

  /// Names that ComfyUI has in its maps, and those that it does not, by the state of its own models.
  @Test(arguments: [
    ("flux", AdapterFormat.original, "double_blocks.0.img_attn.proj", AdapterReader.Verdict.not),
    ("flux", .comfy, "diffusion_model.double_blocks.0.img_attn.proj", .whole),
    ("flux", .diffusers, "transformer.transformer_blocks.0.attn.to_q", .whole),
    ("flux", .diffusers, "text_encoder_2.encoder.block.0.layer.0.SelfAttention.q", .not),
    ("sd3", .original, "model.diffusion_model.joint_blocks.0.x_block.attn.qkv", .not),
    ("qwen-image", .original, "transformer_blocks.0.attn.to_q", .whole),
    ("lumina2", .original, "layers.0.attention.qkv", .not),
    ("lumina2", .original, "layers.0.feed_forward.w1", .whole),
    ("lumina2", .diffusers, "transformer.layers.0.attn.to_q", .not),
    ("z-image", .diffusers, "transformer.layers.0.attention.to_q", .whole),
    ("wan", .diffusers, "transformer.blocks.0.attn1.to_q", .not),
    ("wan", .musubiOther, "diffusion_model.blocks.0.self_attn.q", .whole),
    ("hunyuan-video", .diffusers, "transformer.transformer_blocks.0.attn.to_q", .not),
    ("hunyuan-video", .kohya, "lora_te1_layers_0_self_attn_q_proj", .not),
    ("hunyuan-video", .kohya, "lora_te1_text_model_encoder_layers_0_mlp_fc1", .whole),
    ("hunyuan-video-1.5", .musubiOther, "diffusion_model.double_blocks.0.img_attn_q", .not),
    ("hunyuan-video-1.5", .musubiOther, "diffusion_model.double_blocks.0.img_mod.linear", .whole),
    ("chroma", .diffusers, "transformer.distilled_guidance_layer.in_proj", .not),
    ("flux2", .diffusers, "transformer.double_stream_modulation_img.linear", .not),
    ("flux2", .diffusers, "transformer.single_transformer_blocks.0.attn.to_out", .whole),
  ])
  func comfyUIHasNamesInItsMaps(
    family: String, format: AdapterFormat, name: String, verdict: AdapterReader.Verdict
  ) throws {
    let reader = try #require(AdapterReader.named("comfyui"))
    let module = ReadModule(name: name, algorithm: "lora", traits: [.withoutControl])
    #expect(reader.verdicts(on: [module], as: format, of: .named(family)) == [verdict])
    // A control adapter of Flux it turns whole.
    guard family == "flux", format == .original else { return }
    let controlled = ReadModule(name: name, algorithm: "lora", traits: [])
    #expect(reader.verdicts(on: [controlled], as: format, of: .named(family)) == [.whole])
  }

  /// Whose names diffusers' pipelines turn into their own, as measured with `lora_state_dict`.
  @Test(arguments: [
    (
      "flux", AdapterFormat.kohya, "lora_unet_double_blocks_0_img_attn_proj",
      AdapterReader.Verdict.whole
    ),
    ("flux", .comfy, "diffusion_model.double_blocks.0.img_attn.proj", .not),
    ("sd3", .kohya, "lora_unet_joint_blocks_0_x_block_attn_proj", .not),
    ("sdxl", .kohya, "lora_unet_down_blocks_1_attentions_0_proj_in", .whole),
    ("sdxl", .comfy, "diffusion_model.input_blocks.4.1.proj_in", .not),
    ("wan", .comfy, "diffusion_model.blocks.0.self_attn.q", .whole),
    ("wan", .kohya, "lora_unet_blocks_0_self_attn_q", .whole),
    ("wan", .kohya, "lora_unet_head_head", .refused),
    ("hunyuan-video", .musubiOther, "diffusion_model.double_blocks.0.img_attn.proj", .whole),
    ("hunyuan-video", .kohya, "lora_unet_double_blocks_0_img_attn_proj", .refused),
    ("anima", .comfy, "diffusion_model.blocks.0.self_attn.q_proj", .whole),
    ("anima", .kohya, "lora_unet_blocks_0_self_attn_q_proj", .not),
    ("z-image", .kohya, "lora_unet_layers_0_attention_qkv", .whole),
    ("z-image", .kohya, "lora_unet_x_embedder", .not),
    ("mochi", .comfy, "diffusion_model.blocks.0.attn.qkv_x", .not),
    ("mochi", .diffusers, "transformer.transformer_blocks.0.attn1.to_q", .whole),
  ])
  func diffusersTurnsNames(
    family: String, format: AdapterFormat, name: String, expected: AdapterReader.Verdict
  ) throws {
    let reader = try #require(AdapterReader.named("diffusers"))
    let module = ReadModule(name: name, algorithm: "lora", traits: [])
    #expect(reader.verdicts(on: [module], as: format, of: .named(family)) == [expected])
  }
}
