import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What the other tools make of an adapter for a video model.
@Suite(.serialized) struct VideoAdapterTests {
  /// An adapter of all modules that has moved.
  private static func trained(_ family: VideoModel.Family) throws -> VideoRun {
    let run = try VideoRun(family)
    var model = try VideoModel(family)
    model.fill(seed: 3)
    try model.write(in: run.folder)
    let result = run.train(["--learning_rate", "1e-2"])
    #expect(result.status == 0, "\(result.errors)")
    return run
  }

  /// `comfy` has the names of ComfyUI's model, `diffusers` those of the transformer in diffusers, with what diffusers
  /// has apart taken apart.
  @Test(
    arguments: [
      (
        .hunyuanVideo, "comfy", 12,
        [
          "diffusion_model.double_blocks.0.img_attn.qkv.lora_A.weight",
          "diffusion_model.double_blocks.0.txt_mlp.2.lora_B.weight",
          "diffusion_model.single_blocks.1.linear1.lora_A.weight",
        ]
      ),
      (
        .hunyuanVideo, "diffusers", 22,
        [
          "transformer.transformer_blocks.0.attn.to_q.lora_A.weight",
          "transformer.transformer_blocks.0.attn.add_v_proj.lora_B.weight",
          "transformer.transformer_blocks.0.ff_context.net.2.lora_A.weight",
          "transformer.single_transformer_blocks.1.proj_mlp.lora_B.weight",
          "transformer.single_transformer_blocks.0.attn.to_k.lora_B.weight",
          "transformer.single_transformer_blocks.0.proj_out.lora_A.weight",
        ]
      ),
      (
        .wan, "comfy", 10,
        [
          "diffusion_model.blocks.0.self_attn.q.lora_A.weight",
          "diffusion_model.blocks.0.ffn.2.lora_B.weight",
        ]
      ),
      (
        .wan, "diffusers", 10,
        [
          "transformer.blocks.0.attn1.to_q.lora_A.weight",
          "transformer.blocks.0.attn2.to_out.0.lora_B.weight",
          "transformer.blocks.0.ffn.net.0.proj.lora_A.weight",
        ]
      ),
    ] as [(VideoModel.Family, String, Int, [String])])
  func isConverted(
    family: VideoModel.Family, format: String, count: Int, names: [String]
  ) throws {
    let run = try Self.trained(family)
    let result = ToolRun(
      "lyco-convert",
      [
        "out/a.safetensors", "--to", format, "--family", family.rawValue, "-o", "b.safetensors",
      ], in: run.folder.path)
    #expect(result.status == 0, "\(result.errors)")
    let converted = try TensorFile(opening: run.folder.file("b.safetensors")).contents
    #expect(converted.keys.filter { $0.hasSuffix("lora_A.weight") }.count == count)
    for name in names { #expect(converted[name] != nil, "\(name): \(converted.keys.sorted())") }
  }

  /// W + up · down · alpha / rank of each module, and nothing else.
  @Test(arguments: VideoModel.Family.allCases)
  func isMerged(_ family: VideoModel.Family) throws {
    let run = try Self.trained(family)
    let result = ToolRun(
      "lyco-merge", ["model.safetensors", "out/a.safetensors", "-o", "b.safetensors"],
      in: run.folder.path)
    #expect(result.status == 0, "\(result.errors)")
    let base = try TensorFile(opening: run.folder.file("model.safetensors")).tensors
    let merged = try TensorFile(opening: run.folder.file("b.safetensors")).tensors
    let adapter = try TensorFile(opening: run.folder.file("out/a.safetensors")).tensors
    #expect(merged.keys.sorted() == base.keys.sorted())
    var changed = 0
    for (name, view) in base {
      let found = try #require(merged[name], "\(name)")
      let path = name.split(separator: ".")
      let module = "lora_unet_" + path.dropLast().joined(separator: "_")
      guard path.last == "weight", let up = adapter["\(module).lora_up.weight"]?.tensor(),
        let down = adapter["\(module).lora_down.weight"]?.tensor(),
        let alpha = adapter["\(module).alpha"]?.tensor().elements[0]
      else {
        #expect(found.stored == view.stored, "\(name)")
        continue
      }
      changed += 1
      let expected = Self.sum(
        view.tensor(), up, down, scale: Double(alpha) / Double(up.shape.columns))
      // One rounding of f32.
      expectClose(found.tensor(), expected, tolerance: 1e-6, name)
    }
    #expect(changed == adapter.count / 3)
  }

  /// W + up · down · scale, in f64.
  private static func sum(_ base: Tensor, _ up: Tensor, _ down: Tensor, scale: Double) -> Tensor {
    let (rank, columns) = (up.shape.columns, down.shape.columns)
    var sum = base
    for row in 0..<up.shape.rows {
      for column in 0..<columns {
        var change = 0.0
        for i in 0..<rank {
          let (a, b) = (up.elements[row * rank + i], down.elements[i * columns + column])
          change += Double(a) * Double(b)
        }
        sum.elements[row * columns + column] += Float(change * scale)
      }
    }
    return sum
  }
}
