import Autograd
import Checkpoints
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Pipelines
@testable import Training

/// Models whose blocks are not kept in memory: the same bits as where they are.
struct StreamedBlocksTests {
  struct Case: CustomTestStringConvertible {
    let model: String
    let family: String
    let compute: ComputeType
    let isInt8: Bool

    var testDescription: String { "\(model) \(compute)\(isInt8 ? " int8" : "")" }

    static let all = [
      ("wan-t2v-128", "wan"), ("hunyuan-video", "hunyuan-video"), ("flux-dev", "flux"),
      ("sd35-medium", "sd3"), ("qwen-image", "qwen-image"),
    ].flatMap { model, family in
      [(ComputeType.f32, false), (.bf16, false), (.f32, true)].map {
        Case(model: model, family: family, compute: $0, isInt8: $1)
      }
    }
  }

  /// Loss and gradients of a step.
  private struct Step: Equatable {
    let prediction: Tensor
    let gradients: [String: Tensor]
  }

  /// A tiny model of which each row of blocks is four long, all different; one longer where the last is of another kind.
  private static func base(
    _ test: Case, change: (inout [String: EncodedTensor]) -> Void = { _ in }
  ) throws -> BaseModel {
    let file = try TensorFile(
      opening: Fixtures.path("training/oracles/\(test.model)/model.safetensors.zst"))
    var tensors: [String: EncodedTensor] = [:]
    for (key, view) in file.tensors {
      let parts = key.split(separator: ".", maxSplits: 2)
      let isOfBlock = parts[0].hasSuffix("blocks")
      if test.family == "sd3", isOfBlock, parts[1] == "1" {
        // The last block is of another kind.
        tensors["\(parts[0]).4.\(parts[2])"] = view.stored
        continue
      }
      tensors[key] = view.stored
      guard isOfBlock, parts[1] == "0" else { continue }
      for number in 1..<4 {
        tensors["\(parts[0]).\(number).\(parts[2])"] = EncodedTensor(
          view.tensor() * (1 + 0.1 * Float(number)), as: .f32)
      }
    }
    change(&tensors)
    let folder = TemporaryFolder()
    try folder.write("model.safetensors", tensors)
    return try BaseModel(
      TensorFile(opening: folder.file("model.safetensors")), as: .named(test.family))
  }

  private static func outline(_ test: Case, _ base: BaseModel) throws -> PipelineOutline {
    var settings = settings(test, base, blocks: 0)
    settings.textIsKept = true
    return switch test.family {
    case "wan": try WanPipeline.outline(of: base, settings)
    case "sd3": try StableDiffusion3Pipeline.outline(of: base, settings)
    case "flux": try FluxPipeline.outline(of: base, settings)
    case "qwen-image": try QwenImagePipeline.outline(of: base, settings)
    default: try HunyuanVideoPipeline.outline(of: base, settings)
    }
  }

  private static func settings(_ test: Case, _ base: BaseModel, blocks: Int) -> ModelSettings {
    var settings = ModelSettings(base: base.file.path)
    (settings.compute, settings.holdsInt8) = (test.compute, test.isInt8)
    settings.streamedBlocks = blocks
    settings.textIsKept = true
    return settings
  }

  /// Two steps with an adapter of that algorithm; gradients of both add up.
  private static func step<Pipeline: ModelPipeline>(
    _ pipeline: Pipeline, _ base: BaseModel, _ kept: [[String: Tensor]], _ arguments: [String],
    quantized: Bool, latents: Shape = [2, 2, 4, 6, 16]
  ) throws -> Step {
    var flags = NetworkSettings.Flags()
    flags.module = "lycoris.kohya"
    (flags.rank, flags.alpha, flags.hasQuantizedBase) = (2, 2, quantized)
    let plan = try NetworkPlan(
      modules: base.layout.modules, family: base.layout.family,
      settings: NetworkSettings(flags, NetworkArguments(parsing: arguments)))
    let network = try AdapterNetwork(plan, layers: pipeline.layers, seed: 1)
    for (index, parameter) in network.parameters.enumerated() where parameter.value.count > 1 {
      let noise = Tensor(random: parameter.value.shape, seed: UInt64(index))
      parameter.value = parameter.value.adding(noise, times: 0.02)
    }
    let noisy = Tensor(random: latents, seed: 9)
    var prediction = noisy
    for _ in 0..<2 {
      prediction = Recording().record {
        let output = pipeline.predict(
          Variable(noisy), at: [300, 700], pipeline.condition(kept: kept, []))
        output.backpropagate(Tensor(random: output.shape, seed: 10))
        return output.value
      }
    }
    return Step(
      prediction: prediction,
      gradients: Dictionary(
        uniqueKeysWithValues: network.parameters.compactMap { parameter in
          parameter.gradient.map { (parameter.name, $0) }
        }))
  }

  private static func step(
    _ test: Case, blocks: Int, checkpoints: Bool, _ arguments: [String] = ["algo=lora"]
  ) throws -> Step {
    let base = try base(test)
    let settings = settings(test, base, blocks: blocks)
    func width(_ path: String) throws -> Int {
      try #require(CheckpointParameters(base).shape("unet", path, "weight")).columns
    }
    if test.family == "wan" {
      let text = try width("text_embedding.0")
      return try step(
        WanPipeline(base, settings, checkpointsBlocks: checkpoints), base,
        (3...4).map { ["t5": Tensor(random: [$0, text], seed: UInt64($0))] }, arguments,
        quantized: test.isInt8)
    }
    if test.family == "flux" {
      let (text, caption) = (try width("txt_in"), try width("vector_in.in_layer"))
      return try step(
        FluxPipeline(base, settings, checkpointsBlocks: checkpoints), base,
        (3...4).map { rows in
          [
            "t5_out": Tensor(random: [rows, text], seed: UInt64(rows)),
            "t5_attn_mask": Tensor([rows], Array(repeating: 1, count: rows)),
            "l_pooled": Tensor(random: [caption], seed: 5),
          ]
        }, arguments, quantized: test.isInt8, latents: [2, 4, 6, 16])
    }
    if test.family == "qwen-image" {
      let text = try width("txt_in")
      return try step(
        QwenImagePipeline(base, settings, checkpointsBlocks: checkpoints), base,
        (3...4).map { ["vl_embed": Tensor(random: [$0, text], seed: UInt64($0))] }, arguments,
        quantized: test.isInt8, latents: [2, 1, 4, 6, 16])
    }
    if test.family == "sd3" {
      let (text, pooled) = (try width("context_embedder"), try width("y_embedder.mlp.0"))
      return try step(
        StableDiffusion3Pipeline(base, settings, checkpointsBlocks: checkpoints), base,
        (3...4).map { rows in
          [
            "lg_out": Tensor(random: [2, text - 4], seed: 3),
            "lg_pooled": Tensor(random: [pooled], seed: 5),
            "t5_out": Tensor(random: [rows, text], seed: UInt64(rows)),
          ]
        }, arguments, quantized: test.isInt8, latents: [2, 4, 6, 16])
    }
    let (text, caption) = (try width("txt_in.input_embedder"), try width("vector_in.in_layer"))
    return try step(
      HunyuanVideoPipeline(base, settings, checkpointsBlocks: checkpoints), base,
      (3...4).map { rows in
        [
          "llm": Tensor(random: [rows, text], seed: UInt64(rows)),
          "llm_mask": Tensor([rows], Array(repeating: 1, count: rows)),
          "clipL": Tensor(random: [caption], seed: 5),
        ]
      }, arguments, quantized: test.isInt8)
  }

  @Test(arguments: Case.all, [false, true])
  func sameBits(_ test: Case, _ checkpoints: Bool) throws {
    let count = try Self.outline(test, Self.base(test)).blocks.count
    #expect(
      count == ["wan": 4, "hunyuan-video": 8, "flux": 8, "sd3": 5, "qwen-image": 4][test.family])
    let kept = try Self.step(test, blocks: 0, checkpoints: checkpoints)
    #expect(kept.gradients.count > count && kept.gradients.values.contains { $0.sumOfSquares > 0 })
    for blocks in [1, 3, count] {
      #expect(
        try Self.step(test, blocks: blocks, checkpoints: checkpoints) == kept, "\(blocks) blocks")
    }
  }

  /// Where adapters ask for the weight itself, forward and for their first factors.
  @Test(arguments: [
    ["algo=lora", "dora_wd=True"], ["algo=full"], ["algo=lokr", "bypass_mode=False"],
  ])
  func adaptersOfTheWeight(_ arguments: [String]) throws {
    for test in Case.all where test.compute == .f32 && !test.isInt8 {
      let kept = try Self.step(test, blocks: 0, checkpoints: true, arguments)
      #expect(!kept.gradients.isEmpty)
      let streamed = try Self.step(test, blocks: 3, checkpoints: true, arguments)
      #expect(streamed == kept, "\(test.model)")
    }
  }

  /// Layers that are not kept take nothing, and keep what adapters see of them.
  @Test func layers() throws {
    let test = Case.all[0]
    let base = try Self.base(test)
    let kept = try WanPipeline(
      base, Self.settings(test, base, blocks: 0), checkpointsBlocks: false
    ).layers
    let streamed = try WanPipeline(
      base, Self.settings(test, base, blocks: 2), checkpointsBlocks: false
    ).layers
    #expect(kept.map(\.path) == streamed.map(\.path))
    #expect(kept.map(\.weightShape) == streamed.map(\.weightShape))
    #expect(kept.map(\.bias) == streamed.map(\.bias))
    let gone = Set(zip(kept, streamed).filter { $0.byteCount != $1.byteCount }.map(\.0.path))
    #expect(!gone.isEmpty)
    let blocks = try Self.outline(test, base).blocks
    #expect(
      gone == Set(blocks.suffix(2).joined().filter { $0.kind == .linear }.map(\.path)))
    for (layer, other) in zip(kept, streamed) {
      #expect(layer.weightValue == other.weightValue, "\(layer.path)")
    }
  }

  /// Weights that are read in parts, whole ones and rows of fused ones.
  @Test func parts() throws {
    for test in [Case.all[0], Case.all[5]] {
      let base = try Self.base(test)
      var parameters = CheckpointParameters(base)
      parameters.partSize = 100
      var most = 0
      for module in base.layout.modules where module.kind == .linear {
        let path = module.graphPath
        let whole = try #require(try parameters.parameter("unet", path, "weight"))
        var (elements, parts) = ([Float](), 0)
        try parameters.readRows("unet", path, "weight") { first, rows in
          #expect(first * whole.shape.columns == elements.count)
          elements += rows.elements
          parts += 1
        }
        #expect(elements == whole.elements, "\(path)")
        most = max(most, parts)
      }
      #expect(most > 10)
    }
  }

  /// A checkpoint whose numbers cannot be read is refused when the model is made, not in its first step.
  @Test func unreadable() throws {
    let test = Case.all[0]
    let base = try Self.base(test) { tensors in
      let key = "blocks.3.ffn.0.weight"
      guard let weight = tensors[key] else { return }
      tensors[key] = EncodedTensor(
        .f8e8m0, weight.shape, [UInt8](repeating: 127, count: weight.shape.count))
    }
    for blocks in [0, 2] {
      #expect(throws: CheckpointError.self, "\(blocks) blocks") {
        try WanPipeline(
          base, Self.settings(test, base, blocks: blocks), checkpointsBlocks: false)
      }
    }
  }
}
