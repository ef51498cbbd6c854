import ModelFamilies
import Tensors
import TestSupport
import Testing

/// What adapters call the modules of each family, against names that the field's tools write.
@Suite struct AdapterNameTests {
  private func module(_ key: String, in list: String) throws -> FamilyModule {
    let layout = try KeyList(list).layout()
    return try #require(layout.modules.first { $0.weight.key == key })
  }

  @Test(arguments: [
    (
      "sd1.ldm", "model.diffusion_model.output_blocks.2.1.conv.weight",
      "lora_unet_up_blocks_0_upsamplers_0_conv"
    ),
    (
      "sd1.ldm", "model.diffusion_model.output_blocks.5.2.conv.weight",
      "lora_unet_up_blocks_1_upsamplers_0_conv"
    ),
    (
      "sd1.ldm",
      "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_out.0.weight",
      "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0"
    ),
    (
      "sd1.ldm", "cond_stage_model.transformer.text_model.encoder.layers.11.mlp.fc2.weight",
      "lora_te_text_model_encoder_layers_11_mlp_fc2"
    ),
    (
      "sdxl.sgm", "model.diffusion_model.output_blocks.2.2.conv.weight",
      "lora_unet_output_blocks_2_2_conv"
    ),
    (
      "sdxl.unet.diffusers", "up_blocks.0.upsamplers.0.conv.weight",
      "lora_unet_output_blocks_2_2_conv"
    ),
    (
      "sdxl.sgm",
      "model.diffusion_model.input_blocks.4.1.transformer_blocks.1.ff.net.0.proj.weight",
      "lora_unet_input_blocks_4_1_transformer_blocks_1_ff_net_0_proj"
    ),
    (
      "sdxl.sgm",
      "conditioner.embedders.0.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight",
      "lora_te1_text_model_encoder_layers_0_self_attn_q_proj"
    ),
    (
      "sdxl.sgm", "conditioner.embedders.1.model.transformer.resblocks.30.mlp.c_proj.weight",
      "lora_te2_text_model_encoder_layers_30_mlp_fc2"
    ),
    (
      "flux1.native", "double_blocks.18.img_attn.qkv.weight",
      "lora_unet_double_blocks_18_img_attn_qkv"
    ),
    (
      "flux1.diffusers", "transformer_blocks.0.attn.to_q.weight",
      "lora_transformer_transformer_blocks_0_attn_to_q"
    ),
    (
      "hunyuan-video.native", "double_blocks.0.img_mlp.fc1.weight",
      "lora_unet_double_blocks_0_img_mlp_fc1"
    ),
    ("wan2.1-t2v-14B.native", "blocks.39.ffn.0.weight", "lora_unet_blocks_39_ffn_0"),
    ("wan2.1-t2v-14B.diffusers", "blocks.39.ffn.net.0.proj.weight", "lora_unet_blocks_39_ffn_0"),
    (
      "sd3.native", "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight",
      "lora_unet_joint_blocks_0_x_block_attn_qkv"
    ),
    (
      "sd3.native",
      "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight",
      "lora_te3_encoder_block_0_layer_0_SelfAttention_q"
    ),
    (
      "sd3.native",
      "text_encoders.clip_g.transformer.text_model.encoder.layers.0.self_attn.out_proj.weight",
      "lora_te2_text_model_encoder_layers_0_self_attn_out_proj"
    ),
    (
      "qwen-image.native", "transformer_blocks.59.img_mod.1.weight",
      "lora_unet_transformer_blocks_59_img_mod_1"
    ),
  ])
  func isWhatTheFieldWrites(list: String, key: String, name: String) throws {
    #expect(try module(key, in: list).adapterName == name)
  }

  @Test(arguments: [
    ("sd1.ldm", "sd1.unet.diffusers"), ("sdxl.sgm", "sdxl.unet.diffusers"),
    ("wan2.1-t2v-14B.native", "wan2.1-t2v-14B.diffusers"),
  ])
  func doesNotDependOnTheLayout(one: String, other: String) throws {
    func shapes(_ list: String) throws -> [String: Int] {
      let modules = try KeyList(list).layout().modules.filter { $0.component == "unet" }
      return Dictionary(uniqueKeysWithValues: modules.map { ($0.adapterName, $0.shape.count) })
    }
    #expect(try shapes(one) == shapes(other))
  }

  /// Smaller models of diffusers leave out the level without attention (BK-SDM-Tiny); this name is one of
  /// Fixtures/real/fashion-ddpm/trained-lora-r4.safetensors.
  @Test(arguments: ["sd1", "sd2"]) func innermostLevelMayHaveAttention(family: String) throws {
    let key = "up_blocks.0.attentions.1.transformer_blocks.0.ff.net.2.weight"
    let layout = try ModelLayout(
      of: [(key, [64, 256]), ("up_blocks.0.resnets.0.conv1.weight", [64, 128, 3, 3])],
      as: .named(family))
    let module = try #require(layout.modules.first { $0.weight.key == key })
    #expect(
      module.adapterName == "lora_unet_up_blocks_0_attentions_1_transformer_blocks_0_ff_net_2")
  }

  @Test func pathIsWhatFollowsThePrefix() throws {
    for (list, _, _) in KeyListTests.lists {
      for module in try KeyList(list).layout().modules {
        let end = "_" + module.path.map { $0 == "." ? "_" : $0 }
        #expect(module.adapterName.hasSuffix(end))
      }
    }
  }

  @Test func splitsTheFusedWeightOfOpenCLIP() throws {
    let layout = try KeyList("sdxl.sgm").layout()
    let key = try #require(
      layout.module(named: "lora_te2_text_model_encoder_layers_3_self_attn_k_proj"))
    let block = "conditioner.embedders.1.model.transformer.resblocks.3.attn."
    #expect(key.weight == ParameterSlot(key: block + "in_proj_weight", rows: 1280..<2560))
    #expect(key.bias == ParameterSlot(key: block + "in_proj_bias", rows: 1280..<2560))
    #expect(key.shape == [1280, 1280])
    #expect(key.kind == .linear)
  }

  @Test func tellsKindsByShapeAndPlace() throws {
    let layout = try KeyList("sd1.ldm").layout()
    let kinds = [
      "lora_unet_conv_in": ModuleKind.convolution, "lora_unet_conv_norm_out": .norm,
      "lora_unet_down_blocks_0_attentions_0_proj_in": .convolution,
      "lora_unet_time_embedding_linear_1": .linear,
      "lora_te_text_model_embeddings_token_embedding": .embedding,
      "lora_te_text_model_final_layer_norm": .norm,
    ]
    for (name, kind) in kinds { #expect(layout.module(named: name)?.kind == kind, "\(name)") }
    let flux = try KeyList("flux1.native").layout()
    let norm = try #require(
      flux.module(named: "lora_unet_double_blocks_0_img_attn_norm_query_norm"))
    #expect(norm.kind == .norm)
    #expect(norm.weight.key == "double_blocks.0.img_attn.norm.query_norm.scale")
    #expect(norm.bias == nil)
  }
}
