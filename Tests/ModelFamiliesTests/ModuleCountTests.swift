import ModelFamilies
import Tensors
import TestSupport
import Testing

/// How many modules the trainers adapt, selected by class and pattern.
@Suite struct ModuleCountTests {
  /// Linear and convolution modules of the component that lie in one of the classes and whose path the
  /// pattern does not match. `kernels` adds convolutions larger than 1 × 1.
  private func count(
    _ layout: ModelLayout, _ component: String, in classes: Set<String>, kernels: Bool = false,
    except pattern: Regex<Substring>? = nil
  ) -> Int {
    layout.modules.count { module in
      module.component == component && (module.kind == .linear || module.kind == .convolution)
        && (kernels || module.shape.kernel.allSatisfy { $0 == 1 })
        && !classes.isDisjoint(with: module.containers)
        && pattern.map { module.path.firstMatch(of: $0) == nil } ?? true
    }
  }

  private let text: Set = ["CLIPAttention", "CLIPMLP"]
  private let blocks: Set = ["ResnetBlock2D", "Downsample2D", "Upsample2D"]

  @Test(arguments: ["sd1.ldm", "sd1.unet.diffusers", "sd2.unet.diffusers"])
  func stableDiffusion(list: String) throws {
    let layout = try KeyList(list).layout()
    #expect(count(layout, "unet", in: ["Transformer2DModel"]) == 192)
    let withConvolutions = blocks.union(["Transformer2DModel"])
    #expect(count(layout, "unet", in: withConvolutions, kernels: true) == 278)
    #expect(count(layout, "unet", in: ["CrossAttention"]) == 128)
  }

  @Test func textEncoders() throws {
    #expect(count(try KeyList("sd1.ldm").layout(), "te1", in: text) == 72)
    let sdxl = try KeyList.sdxl().layout()
    #expect(count(sdxl, "te1", in: text) == 72)
    #expect(count(sdxl, "te2", in: text) == 192)
    #expect(count(try KeyList.sd2().layout(), "te1", in: text) == 138)
  }

  @Test(arguments: ["sdxl.sgm", "sdxl.unet.diffusers"])
  func stableDiffusionXL(list: String) throws {
    let layout = try KeyList(list).layout()
    #expect(count(layout, "unet", in: ["Transformer2DModel"]) == 722)
    let full = blocks.union(["Transformer2DModel", "TimestepEmbedding"])
    #expect(count(layout, "unet", in: full, kernels: true) == 788)
    #expect(count(layout, "unet", in: ["CrossAttention"]) == 560)
  }

  @Test func transformers() throws {
    let flux = try KeyList("flux1.native").layout()
    let streams: Set = ["DoubleStreamBlock", "SingleStreamBlock"]
    #expect(count(flux, "unet", in: streams) == 304)
    #expect(count(flux, "unet", in: streams, except: /_mod\.lin|modulation\.lin/) == 228)

    let hunyuan = try KeyList("hunyuan-video.native").layout()
    let mm: Set = ["MMDoubleStreamBlock", "MMSingleStreamBlock"]
    #expect(count(hunyuan, "unet", in: mm, except: /img_mod|txt_mod|modulation/) == 240)

    let qwen = try KeyList("qwen-image.native").layout()
    #expect(count(qwen, "unet", in: ["QwenImageTransformerBlock"]) == 840)
    #expect(count(qwen, "unet", in: ["QwenImageTransformerBlock"], except: /_mod\./) == 720)
  }

  /// What musubi-tuner and sd-scripts adapt of the later families.
  @Test func laterTransformers() throws {
    let zImage = try KeyList("z-image.diffusers").layout()
    let except = /_refiner\.\d+.*|adaLN_modulation.*/
    #expect(count(zImage, "unet", in: ["ZImageTransformerBlock"], except: except) == 210)
    let chroma = try KeyList("chroma.native").layout()
    #expect(count(chroma, "unet", in: ["DoubleStreamBlock", "SingleStreamBlock"]) == 228)
    let flux2 = try KeyList("flux2-klein-4B.native").layout()
    #expect(count(flux2, "unet", in: ["DoubleStreamBlock", "SingleStreamBlock"]) == 80)
    // Eight projections, two layers and six modulations in each of 28 blocks.
    let anima = try KeyList("anima.native").layout()
    #expect(count(anima, "unet", in: ["Block"]) == 448)
    #expect(count(anima, "llm_adapter", in: ["LLMAdapter"]) == 60)
  }

  /// What musubi-tuner says it adapts of Krea 2, all of its 264 linear layers, and its default patterns select
  /// of Kandinsky 5; what sd-scripts adapts of HunyuanImage. Of the others every linear layer of their blocks:
  /// projections, feed-forward layers and modulations times blocks.
  @Test func latestTransformers() throws {
    for list in ["krea2.native", "krea2.diffusers"] {
      #expect(try KeyList(list).layout().modules.count { $0.kind == .linear } == 264)
    }
    let kandinsky = try KeyList("kandinsky5.native").layout()
    let blocks: Set = ["TransformerEncoderBlock", "TransformerDecoderBlock"]
    #expect(count(kandinsky, "unet", in: blocks, except: /modulation/) == 2 * 6 + 32 * 10)
    let image = try KeyList("hunyuan-image.native").layout()
    let mm: Set = ["MMDoubleStreamBlock", "MMSingleStreamBlock"]
    #expect(count(image, "unet", in: mm) == 20 * 10 + 40 * 3)
    let hidream = try KeyList("hidream.native").layout()
    #expect(count(hidream, "unet", in: ["HiDreamAttention"]) == 16 * 8 + 32 * 4)
    #expect(count(hidream, "unet", in: ["MOEFeedForwardSwiGLU"]) == (16 + 32) * 16)
    let ltx = try KeyList("ltx-video.native").layout()
    #expect(count(ltx, "unet", in: ["BasicTransformerBlock"]) == 28 * 10)
    let ltx2 = try KeyList("ltx2.native").layout()
    #expect(count(ltx2, "unet", in: ["BasicAVTransformerBlock"]) == 48 * (6 * 4 + 2 * 2))
    #expect(count(ltx2, "connectors", in: ["Embeddings1DConnector"]) == 2 * 2 * 6)
    let ernie = try KeyList("ernie-image.native").layout()
    #expect(count(ernie, "unet", in: ["ErnieImageSharedAdaLNBlock"]) == 36 * 7)
    let omnigen = try KeyList("omnigen2.native").layout()
    #expect(count(omnigen, "unet", in: ["OmniGen2TransformerBlock"]) == (32 + 2 + 2) * 8 + 2 * 7)
    let aura = try KeyList("auraflow.native").layout()
    #expect(count(aura, "unet", in: ["MMDiTBlock"]) == 4 * 16)
    #expect(count(aura, "unet", in: ["DiTBlock"]) == 32 * 8)
    #expect(
      count(try KeyList("pixart-sigma.native").layout(), "unet", in: ["PixArtBlock"]) == 28 * 7)
    #expect(
      count(try KeyList("pixart-sigma.diffusers").layout(), "unet", in: ["PixArtBlock"]) == 28 * 10)
    for (list, layers) in [("sana-1.6B.native", 7), ("sana-1.6B.diffusers", 10)] {
      let layout = try KeyList(list).layout()
      #expect(count(layout, "unet", in: ["SanaMSBlock"]) == 20 * layers)
      #expect(count(layout, "unet", in: ["GLUMBConv"]) == 20 * 2)
    }
    for list in ["cogvideox-5b.native", "cogvideox-5b.comfy"] {
      let cog = try KeyList(list).layout()
      #expect(count(cog, "unet", in: ["CogVideoXBlock"]) == 42 * 8)
      #expect(count(cog, "unet", in: ["Attention"]) == 42 * 4)
    }
    let mochi = try KeyList("mochi.native").layout()
    // The last block leaves the text as it is.
    #expect(count(mochi, "unet", in: ["AsymmetricJointBlock"]) == 48 * 10 - 3)
    let cosmos = try KeyList("cosmos1-7B.native").layout()
    #expect(count(cosmos, "unet", in: ["GeneralDITTransformerBlock"]) == 28 * 16)
    // Eight and twenty-four blocks of each kind, down and up; the fused projection counts three times.
    for list in ["cascade.native", "cascade.comfy", "cascade.diffusers"] {
      let cascade = try KeyList(list).layout()
      #expect(count(cascade, "unet", in: ["ResBlock"]) == 64 * 2)
      #expect(count(cascade, "unet", in: ["AttnBlock"]) == 64 * 5)
    }
  }

  @Test(arguments: [
    ("wan2.1-t2v-1.3B.native", 300), ("wan2.1-t2v-14B.native", 400),
    ("wan2.1-t2v-14B.diffusers", 400), ("wan2.1-i2v-14B.native", 480),
    ("wan2.1-i2v-14B.diffusers", 480), ("wan2.1-vace-14B.native", 400),
    ("wan2.1-vace-14B.diffusers", 400), ("wan2.2-s2v-14B.native", 400),
  ])
  func wan(list: String, modules: Int) throws {
    let layout = try KeyList(list).layout()
    #expect(count(layout, "unet", in: ["WanAttentionBlock"]) == modules)
  }

  @Test func wansOtherBlocks() throws {
    for list in ["wan2.1-vace-14B.native", "wan2.1-vace-14B.diffusers"] {
      // Ten in each of eight blocks, one behind each and one before the first.
      let layout = try KeyList(list).layout()
      #expect(count(layout, "unet", in: ["VaceWanAttentionBlock"]) == 8 * 10 + 8 + 1)
    }
    let speech = try KeyList("wan2.2-s2v-14B.native").layout()
    #expect(count(speech, "unet", in: ["AudioInjector_WAN"]) == 12 * 4 + 12)
  }

  @Test(arguments: [
    ("qwen2.5-vl-7B.comfy", "Qwen2_5_VLDecoderLayer", 28),
    ("qwen3-4B.comfy", "Qwen3DecoderLayer", 36),
    ("llama3-8B.comfy", "LlamaDecoderLayer", 32),
  ])
  func languageModels(list: String, layer: String, layers: Int) throws {
    #expect(count(try KeyList(list).layout(), "te1", in: [layer]) == 7 * layers)
  }

  /// The last layer of SD2's text encoder never takes part: it has names, but no class selects it.
  @Test func unusedLayerIsAddressable() throws {
    let layout = try KeyList.sd2().layout()
    #expect(layout.family.name == "sd2")
    let value = try #require(
      layout.module(named: "lora_te_text_model_encoder_layers_23_self_attn_v_proj"))
    #expect(value.weight.rows == 2048..<3072)
    #expect(value.containers == ["UnusedEncoderLayer"])
    #expect(
      layout.unnamed == [
        "cond_stage_model.model.logit_scale", "cond_stage_model.model.positional_embedding",
        "cond_stage_model.model.text_projection",
      ])
  }
}
