import Adapters
import Checkpoints
import ModelFamilies
import Testing

/// How formats spell the tensors of a module.
@Suite struct AdapterFormatEndingTests {
  /// transformers, through which diffusers loads text encoders, knows magnitudes as parameters of a module alone:
  /// under PEFT's shorter name it makes new ones (transformers 5.23, diffusers 0.42.1: off by 0.78).
  @Test(arguments: [
    (AdapterFormat.diffusers, "text_encoder.text_model.encoder.layers.0.mlp.fc1", true),
    (.diffusers, "text_encoder_2.text_model.encoder.layers.0.mlp.fc1", true),
    (.diffusers, "unet.down_blocks.0.attentions.0.proj_in", false),
    (.diffusers, "transformer.x_embedder", false),
    (.peft, "text_encoder/base_model.model.encoder.layers.0.mlp.fc1", false),
  ])
  func magnitudesOfTextEncoders(format: AdapterFormat, module: String, isOfModule: Bool) {
    let ending = format.ending(of: "lora_magnitude_vector", in: LoRA.self, module: module)
    #expect(ending == (isOfModule ? ".lora_magnitude_vector.weight" : ".lora_magnitude_vector"))
  }
}
