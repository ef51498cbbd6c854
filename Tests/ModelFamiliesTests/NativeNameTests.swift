import ModelFamilies
import Tensors
import TestSupport
import Testing

/// Spellings of the original models and of ComfyUI's.
@Suite struct NativeNameTests {
  /// Dots and underscores mixed, as some programs write them.
  @Test(arguments: [
    (
      "wan2.1-i2v-14B.native", "lora_unet_blocks_3.cross_attn.k_img",
      "lora_unet_blocks_3_cross_attn_k_img"
    ),
    (
      "wan2.1-i2v-14B.native", "transformer.blocks_3.attn2.add_k_proj",
      "lora_unet_blocks_3_cross_attn_k_img"
    ),
    (
      "sdxl.sgm", "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1.to_q",
      "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q"
    ),
    (
      "flux1.native", "diffusion_model.double_blocks_0_img_attn.qkv",
      "lora_unet_double_blocks_0_img_attn_qkv"
    ),
  ])
  func mixesDotsAndUnderscores(list: String, name: String, own: String) throws {
    #expect(try KeyList(list).layout().modules(named: name).map(\.adapterName) == [own])
  }

  @Test func mixesDotsAndUnderscoresInUnknownModels() throws {
    let layout = try ModelLayout(of: [("blocks.0.attn_q.weight", [4, 4])])
    #expect(layout.module(named: "lora_unet_blocks_0.attn_q")?.path == "blocks.0.attn_q")
    #expect(layout.module(named: "blocks.0.attn.q") == nil)
  }

  /// What stands before the keys of the denoiser is no part of its modules' names.
  @Test(arguments: ["model.diffusion_model.", "diffusion_model."])
  func unknownModelsHaveNoPrefix(prefix: String) throws {
    let layout = try ModelLayout(of: [
      (prefix + "blocks.0.q.weight", [4, 4]), (prefix + "blocks.0.q.bias", [4]),
    ])
    let module = try #require(layout.modules.first)
    #expect(module.path == "blocks.0.q")
    #expect(module.adapterName == "diffusion_model.blocks.0.q")
    #expect(module.weight.key == prefix + "blocks.0.q.weight")
    #expect(module.bias?.key == prefix + "blocks.0.q.bias")
    for name in [
      "blocks.0.q", "diffusion_model.blocks.0.q", "model.diffusion_model.blocks.0.q",
      "lora_unet_blocks_0_q", "transformer.blocks.0.q", "base_model.model.blocks.0.q",
    ] {
      #expect(layout.module(named: name) == module, "\(name)")
    }
  }

  /// OpenCLIP keeps the projection as a parameter with inputs for rows.
  @Test func theProjectionOfOpenCLIPIsTransposed() throws {
    let layout = try ModelLayout(
      of: [
        ("conditioner.embedders.1.model.text_projection", [1280, 640]),
        ("conditioner.embedders.1.model.ln_final.weight", [1280]),
      ], as: ModelFamily.named("sdxl"))
    let module = try #require(layout.module(named: "lora_te2_text_projection"))
    #expect(module.shape == [640, 1280])
    #expect(module.weight.isTransposed)
    #expect(module.bias == nil)
    #expect(layout.module(named: "text_encoder_2.text_projection") == module)
    // Its rows are not those of the adapter's: no name for the original file.
    let names = try #require(FamilyNames(of: layout.family))
    let place = try #require(names.places(named: "lora_te2_text_projection").first)
    #expect(names.spelling(of: place, in: .original) == nil)
    #expect(
      names.spelling(of: place, in: .diffusers)
        == .same("text_encoder_2.text_projection", swapsHalves: false))
  }

  /// HunyuanVideo as ComfyUI saves it, by the names and shapes of the release.
  @Test(arguments: [
    ("hunyuan-video.native", "hunyuan-video"), ("hunyuan-video-1.5.native", "hunyuan-video-1.5"),
  ])
  func recognizesWhatComfyUISaves(list: String, family: String) throws {
    let native = try KeyList(list).layout()
    let names = try #require(FamilyNames(of: native.family))
    var tensors: [(key: String, shape: Shape)] = []
    var fused: [String: Int] = [:]
    let prefix = "diffusion_model."
    for module in native.modules where module.kind != .embedding {
      let place = try #require(names.places(named: module.adapterName).first)
      switch names.spelling(of: place, in: .comfy, weightShape: module.shape) {
      case .same(let name, _):
        tensors.append((String(name.dropFirst(prefix.count)) + ".weight", module.shape))
      case .part(let name, _, _):
        let key = String(name.dropFirst(prefix.count)) + ".weight"
        if let index = fused[key] {
          let shape = tensors[index].shape
          tensors[index].shape = [shape.rows + module.shape.rows, shape.columns]
        } else {
          fused[key] = tensors.count
          tensors.append((key, module.shape))
        }
      default: Issue.record("\(module.path)")
      }
    }
    for before in ["", "model.diffusion_model."] {
      let layout = try ModelLayout(of: tensors.map { (before + $0.key, $0.shape) })
      #expect(layout.family.name == family, "\(layout.evidence)")
      #expect(layout.unnamed == [])
      // A name of the release leads to the module that ComfyUI calls otherwise.
      let mod = try #require(layout.module(named: "lora_unet_double_blocks_0_img_mod_linear"))
      #expect(mod.path == "double_blocks.0.img_mod.lin")
    }
  }

  /// Chroma has one text encoder: OneTrainer writes `lora_te1_` or `lora_te_`, ComfyUI reads the first.
  @Test(arguments: ["lora_te1_", "lora_te_", "lora_te2_", "lora_te3_"])
  func chromasTextEncoderIsTheFirst(prefix: String) throws {
    let chroma = try #require(ModelFamily.named("chroma"))
    let names = try #require(FamilyNames(of: chroma))
    let name = "encoder_block_0_layer_0_SelfAttention_q"
    let place = try #require(names.places(named: prefix + name).first)
    #expect(
      names.spelling(of: place, in: .kohya) == .same("lora_te1_" + name, swapsHalves: false))
  }
}
