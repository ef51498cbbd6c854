import ModelFamilies
import Testing

/// What the beginning of a name says of the component, whatever the family.
@Suite struct NamePrefixTests {
  @Test(arguments: [
    ("lora_unet_down_blocks_0", "lora_unet_", "unet"), ("oft_unet_x", "oft_unet_", "unet"),
    ("lora_transformer_x", "lora_transformer_", "unet"),
    ("lora_prior_unet_x", "lora_prior_unet_", "unet"), ("lora_prior_te_x", "lora_prior_te_", "te1"),
    ("lora_te_text_model", "lora_te_", "te1"), ("lora_te1_text_model", "lora_te1_", "te1"),
    ("lora_te2_text_model", "lora_te2_", "te2"), ("lora_te3_encoder", "lora_te3_", "te3"),
    ("oft_te_x", "oft_te_", "te1"), ("oft_te1_x", "oft_te1_", "te1"),
    ("oft_te2_x", "oft_te2_", "te2"),
    // The longer of two that fit.
    ("lycoris_text_model_encoder", "lycoris_text_model_", "te1"),
    ("lycoris_down_blocks", "lycoris_", "unet"),
    ("diffusion_model.blocks.0", "diffusion_model.", "unet"),
    ("model.diffusion_model.blocks.0", "model.diffusion_model.", "unet"),
    ("transformer.x", "transformer.", "unet"), ("unet.x", "unet.", "unet"),
    ("text_encoder.x", "text_encoder.", "te1"), ("text_encoder_2.x", "text_encoder_2.", "te2"),
    ("text_encoder_3.x", "text_encoder_3.", "te3"),
    ("text_encoders.clip_l.transformer.x", "text_encoders.clip_l.transformer.", "te1"),
    ("text_encoders.clip_g.transformer.x", "text_encoders.clip_g.transformer.", "te2"),
    ("text_encoders.t5xxl.transformer.x", "text_encoders.t5xxl.transformer.", "te3"),
    ("base_model.model.x", "base_model.model.", "model"),
  ])
  func saysTheComponent(name: String, prefix: String, component: String) throws {
    let found = try #require(NamePrefix.ofComponent(name[...]))
    #expect(found.text == prefix)
    #expect(found.component == component)
  }

  @Test(arguments: ["lora_blocks_0", "blocks.0.attn", "", "unet_x"]) func saysNothing(name: String)
  {
    #expect(NamePrefix.ofComponent(name[...]) == nil)
  }
}
