import ModelFamilies
import Tensors
import TestSupport
import Testing

/// Adapters of one kind of layer alone, whose names several families may have: none of these wins in silence.
@Suite struct AmbiguousAdapterTests {
  /// FramePack has the blocks of HunyuanVideo, so that adapters of these fit both. ComfyUI does not have it.
  private static let same: [String: Set<String>] = ["framepack": ["hunyuan-video"]]

  /// Layers of the denoiser, those that differ in numbers alone together.
  private static func kinds(of layout: ModelLayout) -> [[FamilyModule]] {
    let linear = layout.modules.filter { $0.kind == .linear && $0.component == "unet" }
    let kinds = Dictionary(grouping: linear) { $0.path.replacing(/\d+/, with: "#") }
    return kinds.values.filter { $0[0].path.contains(/\.\d+\./) }
      .sorted { $0[0].path < $1[0].path }
  }

  /// Those that a conversion to a format that is asked for would name.
  private static let formats: [AdapterFormat] = [.kohya, .comfy, .diffusers, .peft]

  @Test(arguments: KeyListTests.lists)
  func noOtherFamilyWinsInSilence(list: String, family: String, unnamed: Int) throws {
    let layout = try KeyList(list).layout()
    let names = try #require(FamilyNames(of: layout.family))
    let expected = (Self.same[family] ?? []).union([family])
    for kind in Self.kinds(of: layout) {
      for format in Self.formats where family != "framepack" || format != .comfy {
        // All blocks where names are shared most; a few tell least.
        for modules in (format == .diffusers ? [kind] : []) + [Array(kind.prefix(2))] {
          let named = modules.flatMap { Self.named($0, in: format, names) }
          guard !named.isEmpty else { continue }
          let found = ModelFamily.recognize(adapterModules: named, metadata: [:])
          let candidates = Set(found.candidates.map(\.name))
          #expect(
            // PEFT's names have nothing that tells a model of pictures from one of language.
            !candidates.isDisjoint(with: expected) || format == .peft && candidates.isEmpty,
            "\(list) \(format) \(named.count) × '\(named[0])': \(candidates), \(found.evidence)")
        }
      }
    }
  }

  /// What a format makes of a layer, with the extents that its factors have there.
  private static func named(
    _ module: FamilyModule, in format: AdapterFormat, _ names: FamilyNames
  ) -> [NamedModule] {
    guard let place = names.places(named: module.adapterName).first else { return [] }
    let (inputs, outputs) = (module.shape.columns, module.shape.rows)
    switch names.spelling(of: place, in: format, weightShape: module.shape) {
    case nil: return []
    case .same(let name, _): return [NamedModule(name, inputs: inputs, outputs: outputs)]
    case .part(let name, let index, let shares):
      let rows = outputs / shares[index] * shares.reduce(0, +)
      return [NamedModule(name, inputs: inputs, outputs: rows)]
    case .parts(let names, let shares):
      let unit = outputs / shares.reduce(0, +)
      return zip(names, shares).map { NamedModule($0, inputs: inputs, outputs: unit * $1) }
    }
  }

  /// How many blocks there are tells what their names do not.
  @Test(arguments: [
    (19, ["flux", "chroma"]), (60, ["qwen-image"]), (20, ["hunyuan-video"]), (5, ["flux2"]),
    (2, ["flux", "chroma", "flux2", "hunyuan-video", "qwen-image"]),
  ])
  func blocksTell(count: Int, families: [String]) {
    for prefix in ["transformer.", "base_model.model."] {
      let modules = (0..<count).flatMap { block in
        ["to_q", "add_k_proj"].map {
          NamedModule(
            "\(prefix)transformer_blocks.\(block).attn.\($0)", inputs: 3072, outputs: 3072)
        }
      }
      let found = ModelFamily.recognize(adapterModules: modules, metadata: [:])
      #expect(found.candidates.map(\.name) == families, "\(found.evidence)")
    }
  }

  /// Widths of outputs and of the text's layers tell too.
  @Test(arguments: [
    (
      NamedModule("diffusion_model.single_blocks.0.linear1", inputs: 3072, outputs: 27648),
      ["flux2"]
    ),
    (
      NamedModule("lora_unet_single_blocks_0_linear1", inputs: 3072, outputs: 21504),
      ["flux", "chroma", "hunyuan-video"]
    ),
    (NamedModule("lycoris_transformer_blocks_0_attn_add_q_proj", inputs: 1536), ["sd3"]),
    (
      NamedModule("transformer.transformer_blocks.0.attn.to_add_out", inputs: 3584),
      ["hunyuan-image"]
    ),
  ])
  func widthsTell(module: NamedModule, families: [String]) {
    let found = ModelFamily.recognize(adapterModules: [module], metadata: [:])
    #expect(found.candidates.map(\.name) == families, "\(found.evidence)")
  }

  /// Of text encoders alone too: CLIP of 1024 is SD2's, of 1280 not SD1's; T5 without another is Chroma's or PixArt's.
  @Test(arguments: [
    ("base_model.model.text_model.encoder.layers.0.self_attn.q_proj", 1024, ["sd2"]),
    ("text_model.encoder.layers.0.self_attn.q_proj", 768, ["sd1", "sdxl"]),
    ("base_model.model.text_model.encoder.layers.0.self_attn.q_proj", 1280, ["sdxl"]),
    ("lora_te_encoder_block_0_layer_0_SelfAttention_q", 4096, ["chroma", "pixart"]),
    ("text_encoder.encoder.block.0.layer.1.DenseReluDense.wo", 10240, ["chroma", "pixart"]),
    ("lora_te3_encoder_block_0_layer_0_SelfAttention_q", 4096, ["flux", "sd3"]),
  ])
  func textEncodersTell(name: String, inputs: Int, families: [String]) {
    let modules = (0..<4).map {
      NamedModule(name.replacing("layers.0", with: "layers.\($0)"), inputs: inputs)
    }
    let found = ModelFamily.recognize(adapterModules: modules, metadata: [:])
    #expect(found.candidates.map(\.name) == families, "\(found.evidence)")
  }

  /// OneTrainer's adapters of PixArt have more layers of T5 than of the model.
  @Test func textEncodersAreNotTheModel() {
    let encoder = (0..<24).map {
      NamedModule("lora_te_encoder_block_\($0)_layer_0_SelfAttention_q", inputs: 4096)
    }
    let layer = NamedModule("lora_transformer_transformer_blocks_0_attn1_to_q", inputs: 1152)
    let found = ModelFamily.recognize(adapterModules: encoder + [layer], metadata: [:])
    #expect(found.candidates.map(\.name) == ["pixart"], "\(found.evidence)")
  }

  /// So does what trainers and PEFT say of the model.
  @Test(arguments: [
    ("ss_base_model_version", "qwen_image", "qwen-image"),
    ("ss_network_module", "networks.lora_qwen_image", "qwen-image"),
    ("ss_network_module", "networks.lora_flux_2", "flux2"),
    ("modelspec.architecture", "Flux.1-dev/lora", "flux"),
    ("base_model_class", "FluxTransformer2DModel", "flux"),
    ("base_model_class", "QwenImageTransformer2DModel", "qwen-image"),
    ("base_model_class", "ChromaTransformer2DModel", "chroma"),
    ("base_model_name_or_path", "black-forest-labs/FLUX.2-klein-4B", "flux2"),
    ("base_model_name_or_path", "hunyuanvideo-community/HunyuanVideo", "hunyuan-video"),
  ])
  func metadataTell(key: String, value: String, family: String) {
    let found = ModelFamily.recognize(
      [("base_model.model.transformer_blocks.0.attn.to_q", 3072)], metadata: [key: value])
    #expect(found.candidates.map(\.name) == [family], "\(found.evidence)")
  }

  /// Layers of pictures' and language models, which have no family here.
  @Test(arguments: [
    ["blocks.0.attn.qkv", "blocks.0.attn.proj", "blocks.0.mlp.fc1", "blocks.0.mlp.fc2"],
    ["blocks.0.mlp.fc1"], ["layers.0.mlp.gate_proj"], ["model.layers.0.mlp.gate_proj"],
    [
      "base_model.model.model.layers.0.self_attn.q_proj",
      "base_model.model.model.layers.0.mlp.up_proj",
    ],
    ["encoder.layer.0.attention.self.query"], ["transformer.h.0.attn.c_attn"],
    ["base_model.model.encoder.block.0.layer.0.SelfAttention.q"],
  ])
  func otherModelsHaveNoFamily(names: [String]) {
    for width in [nil, 768, 1024, 1152, 2304, 2560, 3584, 4096] {
      let found = ModelFamily.recognize(names.map { ($0, width) })
      #expect(found.family == nil, "\(width ?? 0): \(found.evidence)")
    }
  }
}
