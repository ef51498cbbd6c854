import Checkpoints
import DiffusionModels
import Foundation
import ModelFamilies
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Checkpoints with widths that no model has: an error that names the tensor, where a graph would trap.
@Suite struct OddTransformerTests {
  /// Writes an oracle's weights, some with other extents.
  private func checkpoint(
    _ oracle: String, in folder: borrowing TemporaryFolder,
    _ change: (_ name: String, inout [Int]) -> Void
  ) throws -> FilePath {
    let file = try TensorFile(
      opening: Fixtures.path("training/oracles/\(oracle)/model.safetensors.zst"))
    return try folder.write(
      "model.safetensors",
      Dictionary(
        uniqueKeysWithValues: file.tensors.map { name, view in
          var extents = view.shape.dimensions
          change(name, &extents)
          return (name, EncodedTensor(Tensor(zeros: Shape(extents)), as: .f32))
        }))
  }

  private func refusal(
    _ oracle: String, family: String, _ change: (_ name: String, inout [Int]) -> Void
  ) throws -> String {
    let folder = TemporaryFolder()
    let path = try checkpoint(oracle, in: folder, change)
    let base = try BaseModel(opening: path, as: ModelFamily.named(family))
    var settings = ModelSettings(base: path)
    settings.textIsKept = true
    func build(_ pipeline: (some ModelPipeline).Type) throws {
      _ = try pipeline.outline(of: base, settings)
      _ = try pipeline.init(base, settings, checkpointsBlocks: false)
    }
    do {
      switch family {
      case "wan": try build(WanPipeline.self)
      case "flux": try build(FluxPipeline.self)
      case "sd3": try build(StableDiffusion3Pipeline.self)
      case "qwen-image": try build(QwenImagePipeline.self)
      default: try build(HunyuanVideoPipeline.self)
      }
      return "no error"
    } catch {
      return "\(error)".replacingOccurrences(of: path.string, with: "FILE")
    }
  }

  /// What is made of a patch is what latents have of it, as the plan finds out.
  @Test(arguments: [
    ("wan-t2v-128", "wan", "head.head"), ("hunyuan-video", "hunyuan-video", "final_layer.linear"),
    ("qwen-image", "qwen-image", "proj_out"),
    ("flux-dev", "flux", "final_layer.linear"),
    ("sd3-medium", "sd3", "final_layer.linear"),
  ])
  func outputs(oracle: String, family: String, layer: String) throws {
    let text = try refusal(oracle, family: family) { name, extents in
      if name.hasPrefix(layer + ".") { extents[0] = 48 }
    }
    #expect(
      text.hasPrefix("FILE: expected a transformer that makes 64 numbers of a patch")
        && text.contains("found 48"),
      "\(text)")
  }

  @Test func oddWaves() throws {
    for (oracle, family, layer) in [
      ("wan-t2v-128", "wan", "time_embedding.0"),
      ("hunyuan-video", "hunyuan-video", "time_in.mlp.0"),
      ("hunyuan-video", "hunyuan-video", "guidance_in.mlp.0"),
      ("hunyuan-video", "hunyuan-video", "txt_in.t_embedder.mlp.0"),
      ("flux-dev", "flux", "time_in.in_layer"), ("flux-dev", "flux", "guidance_in.in_layer"),
      ("sd3-medium", "sd3", "t_embedder.mlp.0"),
    ] {
      let text = try refusal(oracle, family: family) { name, extents in
        if name == layer + ".weight" { extents[1] = 255 }
      }
      #expect(
        text
          == "FILE: unet: '\(layer)': expected waves of a width that is a multiple of 2, found 255",
        "\(text)")
    }
  }

  /// Models that see masks or depths besides, and heads that three axes do not share.
  @Test func oddFlux() throws {
    let wide = try refusal("flux-dev", family: "flux") { name, extents in
      if name == "img_in.weight" { extents[1] = 128 }
    }
    #expect(
      wide.hasPrefix("FILE: expected a transformer that sees 16 channels, found 32"), "\(wide)")
    let narrow = try refusal("flux-dev", family: "flux") { name, extents in
      if name.hasSuffix("norm.scale") { extents[0] = 16 }
    }
    #expect(
      narrow
        == "FILE: unet: 'double_blocks.0.img_attn.norm.query_norm': expected heads of a width that is a multiple of "
        + "32, found 16", "\(narrow)")
    let none = try refusal("flux-dev", family: "flux") { name, extents in
      if name == "img_in.weight" { extents = [] }
    }
    #expect(none.contains("no unet") || none.contains("no UNet"), "\(none)")
  }

  @Test func oddQwenImage() throws {
    let wide = try refusal("qwen-image", family: "qwen-image") { name, extents in
      if name == "img_in.weight" { extents[1] = 128 }
    }
    #expect(
      wide.hasPrefix("FILE: expected a transformer that sees 16 channels, found 32"), "\(wide)")
    for (head, says) in [
      (
        16,
        "'transformer_blocks.0.attn.norm_q': expected heads of a width that is a multiple of 32, found 16"
      ),
      (96, "'img_in': expected tokens of a width that is a multiple of 96, found 64"),
    ] {
      let text = try refusal("qwen-image", family: "qwen-image") { name, extents in
        if name.contains(".attn.norm_") { extents[0] = head }
      }
      #expect(text == "FILE: unet: \(says)", "\(text)")
    }
    let waves = try refusal("qwen-image", family: "qwen-image") { name, extents in
      if name.hasSuffix("timestep_embedder.linear_1.weight") { extents[1] = 255 }
    }
    #expect(waves.contains("expected waves of a width that is a multiple of 2"), "\(waves)")
  }

  /// Grids that are no squares, norms of another width, and a depth that the last block's text does not fit.
  @Test func oddPictures() throws {
    for (oracle, says, change) in [
      (
        "sd3-medium", "tensor 'pos_embed': expected shape [1, 64, 64], found [1, 63, 64]",
        { (name: String, extents: inout [Int]) in if name == "pos_embed" { extents[1] = 63 } }
      ),
      (
        "sd35-medium",
        "tensor 'joint_blocks.0.context_block.attn.ln_q.weight': expected shape [32], found [16]",
        { name, extents in if name.hasSuffix("0.context_block.attn.ln_q.weight") { extents[0] = 16 }
        }
      ),
      (
        "sd35-medium", "'x_embedder.proj' has width 64, which 5 heads do not divide",
        { name, extents in if name.hasSuffix("ln_q.weight") { extents[0] = 12 } }
      ),
      (
        "sd3-medium",
        "tensor 'joint_blocks.1.context_block.adaLN_modulation.1.weight': expected shape [128, 64], found [384, 64]",
        { name, extents in
          if name == "joint_blocks.1.context_block.adaLN_modulation.1.weight" { extents[0] = 384 }
        }
      ),
    ] {
      let text = try refusal(oracle, family: "sd3", change)
      #expect(text.hasPrefix("FILE: unet: " + says), "\(text)")
    }
  }

  @Test func oddHeads() throws {
    let text = try refusal("hunyuan-video", family: "hunyuan-video") { name, extents in
      if name.hasSuffix("norm.weight"), extents.count == 1 { extents[0] = 16 }
    }
    #expect(
      text
        == "FILE: unet: 'double_blocks.0.img_attn_q_norm': expected heads of a width that is a multiple of 32, found 16",
      "\(text)")
    let folder = TemporaryFolder()
    let path = try checkpoint("wan-t2v-128", in: folder) { _, _ in }
    let base = try BaseModel(opening: path, as: ModelFamily.named("wan"))
    var configuration = WanConfiguration()
    configuration.heads = .count(128)
    #expect(
      throws: ModelError.unevenWidth(
        component: "unet", name: "blocks.0.self_attn", of: "heads", width: 1, step: 2)
    ) {
      _ = try WanTransformer(CheckpointParameters(base), configuration: configuration)
    }
  }
}
