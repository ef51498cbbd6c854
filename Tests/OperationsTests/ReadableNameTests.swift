import Adapters
import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Extracted adapters have names that the programs load which read kohya's.
@Suite struct ReadableNameTests {
  private func pair(
    _ shapes: [String: Shape], in folder: borrowing TemporaryFolder
  ) throws -> (FilePath, FilePath) {
    var files: [FilePath] = []
    for (name, seed) in [("base", UInt64(1)), ("tuned", 1000)] {
      var tensors: [String: EncodedTensor] = [:]
      for (index, (key, shape)) in shapes.sorted(by: { $0.key < $1.key }).enumerated() {
        tensors[key] = EncodedTensor(Tensor(random: shape, seed: seed + UInt64(index)), as: .f32)
      }
      files.append(try folder.write("\(name).safetensors", tensors))
    }
    return (files[0], files[1])
  }

  private func names(
    of shapes: [String: Shape], as family: String?, preset: String? = nil, norms: Bool = false,
    in folder: borrowing TemporaryFolder
  ) async throws -> Set<String> {
    let (base, tuned) = try pair(shapes, in: folder)
    _ = try await extract(
      base, tuned, to: folder.file("a.safetensors"),
      .perModule(linear: .fixed(2), convolution: .fixed(2)), as: family.flatMap(ModelFamily.named),
      preset: try preset.map { try Preset(named: $0) }, norms: norms)
    return Set(try AdapterFile(opening: folder.file("a.safetensors")).modules.map(\.name))
  }

  /// HunyuanVideo 1.5, whose release, ComfyUI's model and diffusers call and divide layers otherwise: one
  /// naming, that of `lyco-convert --to kohya`.
  @Test(arguments: [
    [
      "double_blocks.0.img_attn_q.weight": [16, 16] as Shape,
      "double_blocks.0.img_attn_k.weight": [16, 16], "double_blocks.0.img_attn_v.weight": [16, 16],
      "double_blocks.0.img_mlp.fc1.weight": [32, 16],
      "double_blocks.0.img_mod.linear.weight": [96, 16],
    ],
    [
      "double_blocks.0.img_attn.qkv.weight": [48, 16],
      "double_blocks.0.img_mlp.0.weight": [32, 16],
      "double_blocks.0.img_mod.lin.weight": [96, 16],
    ],
    [
      "transformer_blocks.0.attn.to_q.weight": [16, 16],
      "transformer_blocks.0.attn.to_k.weight": [16, 16],
      "transformer_blocks.0.attn.to_v.weight": [16, 16],
      "transformer_blocks.0.ff.net.0.proj.weight": [32, 16],
      "transformer_blocks.0.norm1.linear.weight": [96, 16],
    ],
  ])
  func laterHunyuanVideoHasOneNaming(shapes: [String: Shape]) async throws {
    let folder = TemporaryFolder()
    let names = try await names(of: shapes, as: "hunyuan-video-1.5", in: folder)
    #expect(
      names == [
        "lora_unet_double_blocks_0_img_attn_qkv", "lora_unet_double_blocks_0_img_mlp_0",
        "lora_unet_double_blocks_0_img_mod_lin",
      ])
    let converted = folder.file("k.safetensors")
    try await convert(
      [folder.file("a.safetensors")], to: converted, .kohya, as: .named("hunyuan-video-1.5"))
    #expect(Set(try AdapterFile(opening: converted).modules.map(\.name)) == names)
  }

  /// What stands before the keys of the denoiser is no part of its modules' names.
  @Test func unknownModelsHaveNoPrefix() async throws {
    let folder = TemporaryFolder()
    let names = try await names(
      of: ["model.diffusion_model.blocks.0.q.weight": [16, 16]], as: nil, in: folder)
    #expect(names == ["diffusion_model.blocks.0.q"])
    let layout = try BaseModel(opening: folder.file("base.safetensors")).layout
    for (format, expected) in [
      (AdapterFormat.comfy, "diffusion_model.blocks.0.q"), (.kohya, "lora_unet_blocks_0_q"),
      (.diffusers, "transformer.blocks.0.q"), (.original, "blocks.0.q"),
    ] {
      let output = folder.file("\(format).safetensors")
      try await convert([folder.file("a.safetensors")], to: output, format, base: layout)
      #expect(try AdapterFile(opening: output).modules.map(\.name) == [expected])
      try await merge(
        folder.file("base.safetensors"), [Strength(path: output)], to: folder.file("m.safetensors"))
    }
  }

  /// A preset without targets in the text encoders takes none of their norms.
  @Test func normsFollowThePartsOfAPreset() async throws {
    let folder = TemporaryFolder()
    let block = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0."
    let layer = "cond_stage_model.transformer.text_model.encoder.layers.0."
    let shapes: [String: Shape] = [
      block + "attn1.to_q.weight": [16, 16], block + "norm1.weight": [16],
      block + "norm1.bias": [16], layer + "self_attn.q_proj.weight": [16, 16],
      layer + "layer_norm1.weight": [16], layer + "layer_norm1.bias": [16],
    ]
    let unet = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_"
    let text = "lora_te_text_model_encoder_layers_0_"
    #expect(
      try await names(of: shapes, as: "sd1", preset: "unet-only", norms: true, in: folder)
        == [unet + "attn1_to_q", unet + "norm1"])
    #expect(
      try await names(of: shapes, as: "sd1", preset: "full", norms: true, in: folder)
        == [unet + "attn1_to_q", unet + "norm1", text + "self_attn_q_proj", text + "layer_norm1"])
  }
}
