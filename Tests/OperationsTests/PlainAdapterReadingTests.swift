import Checkpoints
import ModelFamilies
import Operations
import Tensors
import TestSupport
import Testing

/// A plain LoRA is read whole by every program in its own names.
@Suite struct PlainAdapterReadingTests {
  private static let modules = [
    "sd1": [
      "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q",
      "lora_te_text_model_encoder_layers_0_mlp_fc1",
    ],
    "sdxl": [
      "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q",
      "lora_te1_text_model_encoder_layers_0_mlp_fc1",
      "lora_te2_text_model_encoder_layers_0_mlp_fc1",
    ],
    "flux": [
      "lora_unet_double_blocks_0_img_attn_proj", "lora_unet_single_blocks_0_linear2",
      "lora_te1_text_model_encoder_layers_0_mlp_fc1",
    ],
  ]

  @Test(arguments: modules.keys.sorted(), AdapterReader.all.map(\.name))
  func isReadWhole(family: String, name: String) async throws {
    let reader = try #require(AdapterReader.named(name))
    guard reader.families?.contains(family) ?? true else { return }
    let folder = TemporaryFolder()
    var tensors: [String: EncodedTensor] = [:]
    for (index, module) in (Self.modules[family] ?? []).enumerated()
    // musubi-tuner merges into the denoiser alone, and says so.
    where name != "musubi" || module.hasPrefix("lora_unet") {
      tensors.merge(
        RandomModule.encoded(module, of: "lora", for: [24, 24], seed: UInt64(index + 1))
      ) { $1 }
    }
    let source = try AdapterFile(opening: folder.write("a.safetensors", tensors))
    var settings = AdapterConversionSettings(family: .named(family), threads: 1)
    settings.reader = reader
    let adapter = WeightedAdapter(file: source, denoiserRatio: 1, textEncoderRatio: 1)
    let report = try await AdapterConversion([adapter], settings: settings).run(
      writing: folder.file(reader.format(for: nil) == .peft ? "b" : "b.safetensors"),
      progress: .silent)
    #expect(report.warnings == [], "\(report.warnings)")
    #expect(report.to == reader.format(for: settings.family).rawValue)
  }
}
