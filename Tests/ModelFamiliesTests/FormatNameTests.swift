import ModelFamilies
import Tensors
import TestSupport
import Testing

/// What every format calls the modules of every family.
@Suite struct FormatNameTests {
  /// Modules of a list that a format has no name for, as endings of their paths.
  private static let nameless: [AdapterFormat: [String]] = [
    // OpenCLIP keeps it as a parameter, and transposed.
    .original: ["text_projection"],
    // Lumina's last norm is never used, and not in diffusers.
    .diffusers: ["norm_final"], .peft: ["norm_final"], .hcp: ["norm_final"],
  ]

  static func keys(_ list: String) throws -> KeyList {
    switch list {
    case "sd2": try .sd2()
    case "sdxl": try .sdxl()
    default: try KeyList(list)
    }
  }

  /// Blocks in the middle are named as those before and after them.
  private static func isTaken(_ module: FamilyModule) -> Bool {
    let number = module.path.firstMatch(of: /\.(\d+)\./).flatMap { Int($0.1) }
    return number.map { $0 < 2 || (18..<24).contains($0) } ?? true
  }

  /// Every name leads back to the place it was written for, and to no other; no two modules share one.
  @Test(arguments: KeyListTests.lists.map(\.0) + ["sd2", "sdxl"])
  func namesLeadBack(list: String) throws {
    let layout = try Self.keys(list).layout()
    let names = try #require(FamilyNames(of: layout.family))
    var places: [(FamilyModule, ModulePlace)] = []
    for module in layout.modules where module.kind != .embedding && Self.isTaken(module) {
      let found = names.places(named: module.adapterName)
      #expect(found.count == 1, "\(module.adapterName)")
      if let place = found.first { places.append((module, place)) }
    }
    for format in AdapterFormat.allCases { namesLeadBack(in: format, from: places, names) }
  }

  private func namesLeadBack(
    in format: AdapterFormat, from places: [(FamilyModule, ModulePlace)], _ names: FamilyNames
  ) {
    var writers: [String: ModulePlace] = [:]
    var nameless: [String] = []
    for (module, place) in places {
      let spelling = names.spelling(of: place, in: format, weightShape: module.shape)
      /// Reads `name` as a file of its component would be read.
      func read(_ name: String) -> ModulePlace? {
        let isAlone = format == .peft && module.component != "unet"
        let folder = isAlone ? (names.folder(of: module.component) ?? "") + "/" : ""
        let found = names.places(named: folder + name)
        #expect(found.count == 1, "\(name) of \(module.path): \(found)")
        return found.first
      }
      switch spelling {
      case nil: nameless.append(module.path)
      case .same(let name, let swapsHalves):
        guard let back = read(name) else { continue }
        #expect(back == place, "\(name) of \(module.path): \(back)")
        #expect(writers.updateValue(place, forKey: module.component + " " + name) == nil, "\(name)")
        let own = names.spelling(of: place, in: .kohya, weightShape: module.shape)
        let again = names.spelling(of: back, in: .kohya, weightShape: module.shape)
        if case .same(let a, let first) = own, case .same(let b, let second) = again {
          #expect(a == b)
          #expect(swapsHalves == (first != second), "\(name)")
        } else {
          #expect(own == again)
        }
      case .parts(let parts, let shares):
        #expect(parts.count == shares.count)
        for (index, name) in parts.enumerated() {
          guard let back = read(name) else { continue }
          #expect(back.whole == place && back.part == index, "\(name) of \(module.path): \(back)")
          #expect(
            writers.updateValue(back, forKey: module.component + " " + name) == nil, "\(name)")
        }
      case .part(let name, let index, let shares):
        #expect(index == place.part)
        #expect(index < shares.count)
        #expect(read(name) == place.whole, "\(name) of \(module.path)")
      }
    }
    let expected = Self.nameless[format] ?? []
    #expect(
      nameless.filter { path in !expected.contains { path.hasSuffix($0) } } == [], "\(format)")
  }

  @Test(arguments: [
    (
      "sd1.ldm", "lora_unet_down_blocks_1_attentions_0_proj_in", AdapterFormat.sgm,
      "lora_unet_input_blocks_4_1_proj_in"
    ),
    (
      "sd1.ldm", "lora_unet_up_blocks_0_upsamplers_0_conv", .comfy,
      "diffusion_model.output_blocks.2.1.conv"
    ),
    (
      "sd1.ldm", "lora_te_text_model_encoder_layers_3_mlp_fc1", .diffusers,
      "text_encoder.text_model.encoder.layers.3.mlp.fc1"
    ),
    (
      "sd1.ldm", "lora_te_text_model_encoder_layers_3_mlp_fc1", .hcp,
      "lora:text_model.encoder.layers.3.mlp.fc1"
    ),
    (
      "sd2", "lora_te_text_model_encoder_layers_3_mlp_fc1", .original,
      "cond_stage_model.model.transformer.resblocks.3.mlp.c_fc"
    ),
    ("sdxl", "lora_unet_input_blocks_4_1_proj_in", .hcp, "lora:down_blocks.1.attentions.0.proj_in"),
    (
      "sdxl", "lora_te1_text_model_encoder_layers_3_self_attn_k_proj", .hcp,
      "lora:clip_B.text_model.encoder.layers.3.self_attn.k_proj"
    ),
    (
      "sdxl", "lora_te2_text_model_encoder_layers_3_self_attn_k_proj", .hcp,
      "lora:clip_bigG.text_model.encoder.layers.3.self_attn.k_proj"
    ),
    (
      "sdxl", "lora_te2_text_model_encoder_layers_3_self_attn_k_proj", .comfy,
      "text_encoders.clip_g.transformer.text_model.encoder.layers.3.self_attn.k_proj"
    ),
    (
      "sd3.native", "lora_te3_encoder_block_0_layer_0_SelfAttention_q", .diffusers,
      "text_encoder_3.encoder.block.0.layer.0.SelfAttention.q"
    ),
    (
      "sd3.native", "lora_unet_joint_blocks_0_x_block_mlp_fc1", .original,
      "model.diffusion_model.joint_blocks.0.x_block.mlp.fc1"
    ),
    (
      "flux1.native", "lora_unet_double_blocks_0_img_mod_lin", .peft,
      "base_model.model.transformer_blocks.0.norm1.linear"
    ),
    (
      "flux1.native", "lora_unet_double_blocks_0_img_mod_lin", .original,
      "double_blocks.0.img_mod.lin"
    ),
    (
      "hunyuan-video.native", "lora_unet_double_blocks_0_img_mlp_fc1", .comfy,
      "diffusion_model.double_blocks.0.img_mlp.0"
    ),
    (
      "hunyuan-video.native", "lora_unet_double_blocks_0_img_mlp_fc1", .musubiOther,
      "diffusion_model.double_blocks.0.img_mlp.fc1"
    ),
    (
      "hunyuan-video.native", "lora_unet_double_blocks_0_img_attn_qkv", .comfy,
      "diffusion_model.double_blocks.0.img_attn.qkv"
    ),
    (
      "wan2.1-i2v-14B.native", "lora_unet_blocks_3_cross_attn_k_img", .diffusers,
      "transformer.blocks.3.attn2.add_k_proj"
    ),
    (
      "wan2.1-i2v-14B.native", "lora_unet_blocks_3_ffn_0", .musubiOther,
      "diffusion_model.blocks.3.ffn.0"
    ),
    (
      "z-image.native", "lora_unet_layers_0_attention_out", .musubi,
      "lora_unet_layers_0_attention_to_out_0"
    ),
    (
      "z-image.native", "lora_unet_layers_0_attention_out", .musubiOther,
      "diffusion_model.layers.0.attention.to_out.0"
    ),
    (
      "z-image.native", "lora_unet_layers_0_attention_to_out_0", .comfy,
      "diffusion_model.layers.0.attention.out"
    ),
    (
      "framepack.diffusers", "lora_unet_transformer_blocks_0_ff_net_2", .diffusers,
      "transformer.transformer_blocks.0.ff.net.2"
    ),
    (
      "flux2-klein-4B.native", "lora_unet_single_blocks_0_linear1", .diffusers,
      "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj"
    ),
    (
      "hunyuan-dit.native", "lora_unet_blocks_0_norm2", .diffusers, "transformer.blocks.0.norm3"
    ),
    ("hunyuan-dit.native", "transformer.blocks.0.norm2", .kohya, "lora_unet_blocks_0_norm3"),
    (
      "anima.native", "lora_unet_llm_adapter_blocks_0_mlp_0", .diffusers,
      "text_conditioner.blocks.0.mlp.0"
    ),
    (
      "anima.native", "lora_unet_blocks_0_cross_attn_output_proj", .diffusers,
      "transformer.transformer_blocks.0.attn2.to_out.0"
    ),
    ("anima.native", "lora_unet_blocks_0_mlp_layer1", .original, "net.blocks.0.mlp.layer1"),
    (
      "anima.native", "lora_te_layers_3_mlp_gate_proj", .comfy,
      "text_encoders.qwen3_06b.transformer.model.layers.3.mlp.gate_proj"
    ),
    (
      "lumina2.native", "lora_unet_layers_0_feed_forward_w1", .diffusers,
      "transformer.layers.0.feed_forward.linear_1"
    ),
    (
      "qwen-image.native", "lora_unet_transformer_blocks_3_img_mlp_net_0_proj", .original,
      "transformer_blocks.3.img_mlp.net.0.proj"
    ),
  ])
  func knownNames(list: String, name: String, format: AdapterFormat, expected: String) throws {
    let names = try #require(FamilyNames(of: Self.keys(list).layout().family))
    let places = names.places(named: name)
    #expect(places.count == 1)
    #expect(
      places.first.flatMap { names.spelling(of: $0, in: format) }
        == .same(expected, swapsHalves: false))
  }

  /// Only the order of its halves tells the last modulation of one layout from that of another.
  @Test func swappedHalves() throws {
    let flux = try #require(FamilyNames(of: .named("flux")!))
    let native = flux.places(named: "lora_unet_final_layer_adaLN_modulation_1")
    let diffusers = flux.places(named: "transformer.norm_out.linear")
    #expect(native == diffusers)
    #expect(
      flux.spelling(of: native[0], in: .diffusers)
        == .same("transformer.norm_out.linear", swapsHalves: true))
    #expect(
      flux.spelling(of: diffusers[0], in: .kohya)
        == .same("lora_unet_final_layer_adaLN_modulation_1", swapsHalves: true))
    #expect(
      flux.spelling(of: diffusers[0], in: .peft)
        == .same("base_model.model.norm_out.linear", swapsHalves: false))

    // The last context block of SD3 has two modulations, the others six: only the shape tells.
    let sd3 = try #require(FamilyNames(of: .named("sd3")!))
    let context = sd3.places(named: "lora_unet_joint_blocks_23_context_block_adaLN_modulation_1")[0]
    let name = "transformer.transformer_blocks.23.norm1_context.linear"
    for (rows, swaps) in [(9216, false), (3072, true)] {
      #expect(
        sd3.spelling(of: context, in: .diffusers, weightShape: [rows, 1536])
          == .same(name, swapsHalves: swaps))
    }
    #expect(sd3.spelling(of: context, in: .diffusers) == nil)
    #expect(
      sd3.spelling(of: context, in: .comfy)
        == .same(
          "diffusion_model.joint_blocks.23.context_block.adaLN_modulation.1", swapsHalves: false))
  }

  /// Parts in the order of their rows, and how many rows each has.
  @Test func fusedAndSplit() throws {
    func spelling(_ family: String, _ name: String, _ format: AdapterFormat) throws
      -> PlaceSpelling?
    {
      let names = try #require(FamilyNames(of: .named(family)!))
      return names.places(named: name).first.flatMap { names.spelling(of: $0, in: format) }
    }
    let block = "transformer.single_transformer_blocks.0."
    #expect(
      try spelling("flux", "lora_unet_single_blocks_0_linear1", .diffusers)
        == .parts(
          names: ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"].map { block + $0 },
          shares: [1, 1, 1, 4]))
    #expect(
      try spelling("lumina2", "lora_unet_layers_0_attention_qkv", .diffusers)
        == .parts(
          names: ["q", "k", "v"].map { "transformer.layers.0.attn.to_\($0)" }, shares: [3, 1, 1]))
    #expect(
      try spelling("z-image", "lora_unet_layers_0_attention_to_k", .comfy)
        == .part(
          of: "diffusion_model.layers.0.attention.qkv", index: 1, shares: [1, 1, 1]))
    #expect(
      try spelling("z-image", "diffusion_model.layers.0.attention.qkv", .musubi)
        == .parts(
          names: ["q", "k", "v"].map { "lora_unet_layers_0_attention_to_\($0)" }, shares: [1, 1, 1])
    )
    #expect(
      try spelling("hunyuan-video-1.5", "lora_unet_double_blocks_0_txt_attn_k", .kohya)
        == .part(of: "lora_unet_double_blocks_0_txt_attn_qkv", index: 1, shares: [1, 1, 1]))
    #expect(
      try spelling("hunyuan-video-1.5", "lora_unet_double_blocks_0_txt_attn_k", .diffusers)
        == .same("transformer.transformer_blocks.0.attn.add_k_proj", swapsHalves: false))
    #expect(
      try spelling("hunyuan-dit", "transformer.blocks.0.attn2.to_v", .kohya)
        == .part(of: "lora_unet_blocks_0_attn2_kv_proj", index: 1, shares: [1, 1]))
    #expect(
      try spelling("sd3", "transformer.transformer_blocks.0.attn2.to_k", .kohya)
        == .part(
          of: "lora_unet_joint_blocks_0_x_block_attn2_qkv", index: 1, shares: [1, 1, 1]))
  }

  /// PEFT gives each component a folder, in which all names begin alike.
  @Test func foldersTellComponentsApart() throws {
    let sdxl = try #require(FamilyNames(of: .named("sdxl")!))
    let name = "base_model.model.text_model.encoder.layers.0.mlp.fc1"
    for (folder, component) in [
      ("", "te1"), ("text_encoder/", "te1"), ("text_encoder_2/", "te2"),
    ] {
      let places = sdxl.places(named: folder + name)
      #expect(places.map(\.component) == [component])
    }
    #expect(
      sdxl.places(named: "unet/base_model.model.down_blocks.1.attentions.0.proj_in")
        == sdxl.places(named: "lora_unet_input_blocks_4_1_proj_in"))
    #expect(sdxl.folder(of: "te2") == "text_encoder_2")
    #expect(sdxl.folder(of: "unet") == "unet")
  }
}
