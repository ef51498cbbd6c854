import ModelFamilies
import TestSupport
import Testing

/// The spellings in which adapters name the same module.
@Suite struct SpellingTests {
  @Test(arguments: [
    (
      "sd1.ldm", "lora_unet_down_blocks_0_attentions_0_proj_in",
      [
        "lora_unet_input_blocks_1_1_proj_in", "lycoris_down_blocks_0_attentions_0_proj_in",
        "unet.down_blocks.0.attentions.0.proj_in", "down_blocks.0.attentions.0.proj_in",
        "diffusion_model.input_blocks.1.1.proj_in",
        "model.diffusion_model.input_blocks.1.1.proj_in",
        "base_model.model.down_blocks.0.attentions.0.proj_in",
        "oft_unet_down_blocks_0_attentions_0_proj_in",
        "unet._orig_mod.down_blocks.0.attentions.0.proj_in.default",
        "module.unet.down_blocks.0._fsdp_wrapped_module.attentions.0.proj_in",
        "unet.base_model.model.down_blocks.0.attentions.0.proj_in",
        "base_model.model.unet.down_blocks.0.attentions.0.proj_in",
        "base_model.model.diffusion_model.input_blocks.1.1.proj_in",
        "diffusion_model.base_model.model.input_blocks.1.1.proj_in",
        "unet.base_model.model.base_model.model.down_blocks.0.attentions.0.proj_in",
        "base_model.model.model.diffusion_model.input_blocks.1.1.proj_in",
        "unet.module.base_model.model.down_blocks.0.attentions.0.proj_in",
      ]
    ),
    (
      "sd1.ldm", "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0",
      [
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_out",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_out",
      ]
    ),
    (
      "sd1.ldm", "lora_te_text_model_encoder_layers_0_self_attn_q_proj",
      [
        "text_encoder.text_model.encoder.layers.0.self_attn.to_q",
        "text_encoder.base_model.model.text_model.encoder.layers.0.self_attn.q_proj",
      ]
    ),
    (
      "sd1.ldm", "lora_te_text_model_encoder_layers_0_mlp_fc1",
      [
        "lora_te1_text_model_encoder_layers_0_mlp_fc1", "lora_te_encoder_layers_0_mlp_fc1",
        "text_encoder.text_model.encoder.layers.0.mlp.fc1",
        "text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1",
      ]
    ),
    (
      "sdxl.sgm", "lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k",
      [
        "lora_unet_down_blocks_1_attentions_0_transformer_blocks_1_attn2_to_k",
        "lycoris_down_blocks_1_attentions_0_transformer_blocks_1_attn2_to_k",
        "unet.down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k",
        "lycoris_input_blocks_4_1_transformer_blocks_1_attn2_to_k",
      ]
    ),
    (
      "sdxl.sgm", "lora_te2_text_model_encoder_layers_7_self_attn_v_proj",
      [
        "text_encoder_2.text_model.encoder.layers.7.self_attn.v_proj",
        "text_encoders.clip_g.transformer.text_model.encoder.layers.7.self_attn.v_proj",
        "lora_te2_encoder_layers_7_self_attn_v_proj",
      ]
    ),
    (
      "sdxl.sgm", "lora_te1_text_model_encoder_layers_7_self_attn_v_proj",
      [
        "lora_te_text_model_encoder_layers_7_self_attn_v_proj",
        "text_encoder.text_model.encoder.layers.7.self_attn.v_proj",
      ]
    ),
    (
      "flux1.native", "lora_unet_single_blocks_37_linear2",
      [
        "diffusion_model.single_blocks.37.linear2", "single_blocks.37.linear2",
        "transformer.single_transformer_blocks.37.proj_out",
        "lora_transformer_single_transformer_blocks_37_proj_out",
        "base_model.model.single_transformer_blocks.37.proj_out",
        "base_model.model.transformer.single_transformer_blocks.37.proj_out",
      ]
    ),
    (
      "wan2.1-i2v-14B.native", "lora_unet_blocks_3_cross_attn_k_img",
      [
        "diffusion_model.blocks.3.cross_attn.k_img", "transformer.blocks.3.attn2.add_k_proj",
        "lora_unet__blocks_3_cross_attn_k_img",
      ]
    ),
    (
      "sd3.native", "lora_te3_encoder_block_1_layer_1_DenseReluDense_wi_0",
      [
        "text_encoder_3.encoder.block.1.layer.1.DenseReluDense.wi_0",
        "text_encoders.t5xxl.transformer.encoder.block.1.layer.1.DenseReluDense.wi_0",
      ]
    ),
    (
      "qwen-image.native", "lora_unet_transformer_blocks_0_attn_to_k",
      [
        "transformer_blocks.0.attn.to_k", "transformer.transformer_blocks.0.attn.to_k",
        "diffusion_model.transformer_blocks.0.attn.to_k",
      ]
    ),
  ])
  func meansTheSameModule(list: String, name: String, spellings: [String]) throws {
    let layout = try KeyList(list).layout()
    let module = try #require(layout.module(named: name))
    for spelling in spellings {
      #expect(layout.modules(named: spelling) == [module], "\(spelling)")
    }
  }

  /// Tools number Flux's T5 as the second or as the third text encoder.
  @Test func bothNumbersOfFluxT5() throws {
    let t5 = try KeyList("sd3.native").tensors.filter { $0.key.hasPrefix("text_encoders.t5xxl.") }
    let layout = try KeyList(tensors: KeyList("flux1.native").tensors + t5).layout()
    #expect(layout.family.name == "flux")
    let name = "encoder_block_0_layer_0_SelfAttention_q"
    let module = try #require(layout.module(named: "lora_te3_" + name))
    #expect(module.adapterName == "lora_te3_" + name)
    #expect(layout.module(named: "lora_te2_" + name) == module)
  }

  @Test(arguments: [
    ("sd1.ldm", "lora_unet_down_blocks_3_attentions_0_proj_in"),
    ("sd1.ldm", "lora_unet_down.blocks_0_attentions_0_proj_in"),
    ("sd1.ldm", "lora_te2_text_model_encoder_layers_0_mlp_fc1"),
    ("flux1.native", "lora_unet_double_blocks_19_img_attn_qkv"),
    ("flux1.native", "lora_unet_"), ("flux1.native", ""), ("flux1.native", "transformer."),
    ("flux1.native", "transformer.norm_out.linear"), ("wan2.1-t2v-14B.native", "bundle_emb.cat"),
  ])
  func unknownNamesAreNotGuessed(list: String, name: String) throws {
    #expect(try KeyList(list).layout().modules(named: name).isEmpty)
  }
}
