import ModelFamilies
import Tensors
import TestSupport
import Testing

/// Which family a checkpoint is taken for.
@Suite struct RecognitionTests {
  /// Of families that fit equally well the first counts.
  @Test func listsFamiliesInTheirOrder() {
    let names = ModelFamily.all.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(names.last == "generic")
    let known = [
      "sd1", "sd2", "sdxl", "sdxl-refiner", "flux", "chroma", "flux2", "sd3", "hunyuan-video",
      "hunyuan-video-1.5",
      "wan", "qwen-image", "framepack", "z-image", "lumina2", "hunyuan-dit", "anima",
      "krea2", "hunyuan-image", "hidream", "ltx-video", "ltx2", "ernie-image", "kandinsky5",
      "omnigen2", "auraflow", "pixart", "sana", "cogvideox", "mochi", "cosmos1", "cascade",
    ]
    #expect(names.filter(known.contains) == known)
    #expect(ModelFamily.named("sdxl")?.title == "Stable Diffusion XL")
    #expect(ModelFamily.named("sd4") == nil)
  }

  /// Parts of a checkpoint, as they are shipped on their own.
  @Test(arguments: [
    ("sd1.ldm", "model.diffusion_model.", "sd1", "unet"),
    ("sd1.ldm", "cond_stage_model.", "sd1", "te1"), ("sd1.ldm", "first_stage_model.", "sd1", "vae"),
    ("sdxl.sgm", "conditioner.embedders.1.", "sdxl", "te2"),
    ("sdxl.sgm", "model.diffusion_model.output_blocks.", "generic", "model"),
    ("sd3.native", "text_encoders.clip_g.", "sdxl", "te2"),
    ("sd3.native", "text_encoders.t5xxl.", "flux", "te3"),
    ("sd3.native", "model.diffusion_model.", "sd3", "unet"),
  ])
  func partsAlone(list: String, prefix: String, family: String, component: String) throws {
    let tensors = try KeyList(list).tensors.filter { $0.key.hasPrefix(prefix) }
    let layout = try ModelLayout(of: tensors)
    #expect(layout.family.name == family)
    #expect(Set(layout.modules.map(\.component)) == [component])
  }

  /// Text encoders with the bare names of transformers.
  @Test(arguments: [
    ("text_encoders.clip_l.transformer.", "sd1", "lora_te_text_model_final_layer_norm"),
    ("text_encoders.clip_g.transformer.", "sdxl", "lora_te2_text_model_final_layer_norm"),
    ("text_encoders.t5xxl.transformer.", "flux", "lora_te3_encoder_final_layer_norm"),
  ])
  func bareTextEncoders(prefix: String, family: String, name: String) throws {
    let tensors = try KeyList("sd3.native").tensors.filter { $0.key.hasPrefix(prefix) }
      .map { (key: String($0.key.dropFirst(prefix.count)), shape: $0.shape) }
    let layout = try ModelLayout(of: tensors)
    #expect(layout.family.name == family)
    #expect(layout.module(named: name) != nil)
    #expect(layout.unnamed.isEmpty)
  }

  /// A diffusers folder: component names before the slash.
  @Test func foldersOfComponents() throws {
    let text = try KeyList("sd3.native").tensors
    func encoder(_ prefix: String, _ folder: String) -> [(key: String, shape: Shape)] {
      text.filter { $0.key.hasPrefix(prefix) }
        .map { (folder + $0.key.dropFirst(prefix.count), $0.shape) }
    }
    let vae = try KeyList("vae.diffusers", prefix: "vae/").tensors
    let sdxl = try ModelLayout(
      of: KeyList("sdxl.unet.diffusers", prefix: "unet/").tensors + vae
        + encoder("text_encoders.clip_l.transformer.", "text_encoder/")
        + encoder("text_encoders.clip_g.transformer.", "text_encoder_2/"))
    #expect(sdxl.family.name == "sdxl")
    #expect(sdxl.unnamed.isEmpty)
    #expect(sdxl.component(ofKey: "unet/conv_in.weight") == "unet")
    #expect(
      sdxl.module(named: "lora_te2_text_model_encoder_layers_31_mlp_fc1")?.weight.key
        == "text_encoder_2/text_model.encoder.layers.31.mlp.fc1.weight")
    let sd1 = try ModelLayout(
      of: KeyList("sd1.unet.diffusers", prefix: "unet/").tensors + vae
        + encoder("text_encoders.clip_l.transformer.", "text_encoder/"))
    #expect(sd1.family.name == "sd1")
    #expect(sd1.module(named: "lora_te_text_model_encoder_layers_11_mlp_fc1") != nil)
  }

  /// Keys of a checkpoint that are no module's: averages, schedules, markers, scales of 8-bit weights.
  @Test func companionsAreKnownButUnnamed() throws {
    let weight = "model.diffusion_model.input_blocks.0.0.weight"
    let extra: [(key: String, shape: Shape)] = [
      ("model_ema.decay", []), ("model_ema.diffusion_modelinput_blocks00weight", [320, 4, 3, 3]),
      ("betas", [1000]), ("alphas_cumprod", [1000]), ("v_pred", [0]), ("scaled_fp8", [0]),
      ("cond_stage_model.transformer.text_model.embeddings.position_ids", [1, 77]),
      ("model.diffusion_model.input_blocks.0.0.scale_weight", []),
    ]
    let layout = try ModelLayout(of: KeyList("sd1.ldm").tensors + extra)
    #expect(layout.family.name == "sd1")
    #expect(layout.unnamed == extra.map(\.key))
    #expect(layout.component(ofKey: "model_ema.decay") == "ema")
    #expect(layout.component(ofKey: "betas") == "sampling")
    #expect(layout.component(ofKey: extra[6].key) == "te1")
    #expect(layout.component(ofKey: extra[7].key) == "unet")
    #expect(layout.module(named: "lora_unet_conv_in")?.weight.key == weight)
  }

  /// Old checkpoints leave out `text_model`, the adapters' names keep it.
  @Test func textEncoderWithoutTextModel() throws {
    let tensors = try KeyList("sd1.ldm").tensors.map {
      ($0.key.replacing("transformer.text_model.", with: "transformer."), $0.shape)
    }
    let layout = try ModelLayout(of: tensors)
    #expect(layout.unnamed.isEmpty)
    #expect(
      layout.module(named: "lora_te_text_model_encoder_layers_0_mlp_fc1")?.weight.key
        == "cond_stage_model.transformer.encoder.layers.0.mlp.fc1.weight")
  }

  @Test func evidenceNamesKeyAndValue() throws {
    let layout = try KeyList("sd2.unet.diffusers").layout()
    #expect(
      layout.evidence == [
        "'down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight' has shape [320, 1024]: "
          + "1024 at axis 1 as in sd2"
      ])
  }

  /// One key more makes it another family.
  @Test func relativesAreNotMistaken() throws {
    let framePack = try ModelLayout(
      of: KeyList("hunyuan-video.diffusers").tensors + [
        ("clean_x_embedder.proj.weight", [3072, 16, 1, 2, 2])
      ])
    #expect(framePack.family.name == "framepack")
    let chroma = try ModelLayout(
      of: KeyList("flux1.native").tensors.filter { !$0.key.contains("mod") }
        + [("distilled_guidance_layer.in_proj.weight", [5120, 64])])
    #expect(chroma.family.name == "chroma")
  }

  /// Layers of a picture encoder are named as those of PixArt, and may be as wide; those of a language model as
  /// ERNIE-Image's.
  @Test func otherModelsAreNotMistaken() throws {
    let encoder: [(key: String, shape: Shape)] = [
      ("blocks.0.attn.qkv.weight", [3456, 1152]), ("blocks.0.attn.proj.weight", [1152, 1152]),
      ("blocks.0.mlp.fc1.weight", [4304, 1152]), ("blocks.0.mlp.fc2.weight", [1152, 4304]),
    ]
    #expect(try ModelLayout(of: encoder).family == .generic)
    for names in [encoder.map { String($0.key.dropLast(7)) }, ["layers.0.mlp.gate_proj"]] {
      let found = ModelFamily.fitting(adapterModules: names.map { NamedModule($0) }).map(\.name)
      #expect(Set(found).isDisjoint(with: ["pixart", "ernie-image"]), "\(found)")
    }
  }

  /// A model as it is released, with what ComfyUI's files and diffusers' folders add to it.
  @Test func animaInParts() throws {
    let native = try KeyList("anima.native", prefix: "net.").layout()
    #expect(native.family.name == "anima")
    let module = try #require(
      native.module(named: "lora_unet_llm_adapter_blocks_0_self_attn_q_proj"))
    #expect(module.weight.key == "net.llm_adapter.blocks.0.self_attn.q_proj.weight")
    #expect(module.component == "llm_adapter")
    let folder = try ModelLayout(
      of: KeyList("cosmos-predict2.diffusers", prefix: "transformer/").tensors
        + KeyList("anima.adapter.diffusers", prefix: "text_conditioner/").tensors
        + KeyList("qwen3-0.6B.hf", prefix: "text_encoder/").tensors)
    #expect(folder.family.name == "anima")
    #expect(folder.unnamed == [])
    #expect(
      folder.module(named: "diffusion_model.llm_adapter.blocks.5.mlp.2")?.weight.key
        == "text_conditioner/blocks.5.mlp.2.weight")
    #expect(
      folder.module(named: "lora_te_layers_0_self_attn_q_proj")?.weight.key
        == "text_encoder/layers.0.self_attn.q_proj.weight")
  }

  /// A part that several families have in common is read as the first one's; the evidence says so.
  @Test func sharedPartsSayWhoseTheyAre() throws {
    let layout = try KeyList("vae.diffusers").layout()
    #expect(layout.evidence.last == "a part that sd2, sdxl share")
  }

  /// Shapes that cannot be cut, and biases that do not belong, are listed instead of named.
  @Test func oddShapesAreUnnamed() throws {
    let block = "conditioner.embedders.1.model.transformer.resblocks."
    let odd: [(key: String, shape: Shape)] = [
      (block + "0.attn.in_proj_weight", [3841, 1280]), (block + "0.attn.in_proj_bias", [3841]),
      (block + "1.attn.in_proj_bias", [1280]), (block + "2.ln_1.weight", []),
      (block + "2.ln_1.bias", [1280]),
    ]
    let shapes = Dictionary(uniqueKeysWithValues: odd.map { ($0.key, $0.shape) })
    let tensors = try KeyList("sdxl.sgm").tensors.map { ($0.key, shapes[$0.key] ?? $0.shape) }
    let layout = try ModelLayout(of: tensors)
    #expect(layout.family.name == "sdxl")
    #expect(
      Set(layout.unnamed)
        == Set(odd.map(\.key) + ["conditioner.embedders.1.model.positional_embedding"]))
    let name = "lora_te2_text_model_encoder_layers_1_self_attn_q_proj"
    #expect(layout.module(named: name)?.bias == nil)
    #expect(layout.module(named: name)?.weight.rows == 0..<1280)
  }

  @Test func mostlyForeignKeysAreGeneric() throws {
    let key = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"
    let layout = try ModelLayout(of: [
      (key, [320, 768]), ("a.weight", [2, 2]), ("b.weight", [2, 2]),
    ])
    #expect(layout.family == .generic)
    #expect(layout.evidence.last == "2 of 3 keys are not of sd1, first 'a.weight'")
  }

  @Test func wrongOverrideNamesTheFirstForeignKeys() throws {
    let error = #expect(throws: ModelFamilyError.self) {
      try KeyList("flux1.native").layout(as: .named("sd1"))
    }
    #expect(
      error?.description
        == "family 'sd1': expected its keys, found 780 of 780 that do not belong ('img_in.weight', "
        + "'img_in.bias', 'time_in.in_layer.weight', …); choose another '--family'")
  }

  @Test func genericOverrideTakesTheNamesOfTheFile() throws {
    let layout = try KeyList("sd1.unet.diffusers").layout(as: .generic)
    #expect(layout.family == .generic)
    #expect(layout.modules.contains { $0.adapterName == "conv_in" })
    #expect(layout.module(named: "lora_unet_conv_in")?.path == "conv_in")
  }

  @Test func emptyCheckpointIsGeneric() throws {
    let layout = try ModelLayout(of: [])
    #expect(layout.family == .generic)
    #expect(layout.modules.isEmpty)
  }
}
