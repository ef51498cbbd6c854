import Autograd
import Checkpoints
import ModelFamilies
import Pipelines
import Safetensors
import Tensors
import Testing

@testable import Training

/// A model of one layer that is trained on encoded items, and asks for nothing else.
final class PreparedPipeline: ModelPipeline {
  static let families = ["wan"]
  static let path = "blocks.0.self_attn.q"

  let layers: [Layer]

  static func fits(_ base: BaseModel) -> Bool { true }

  static func outline(of base: BaseModel, _ settings: ModelSettings) throws -> PipelineOutline {
    let model = try PreparedModel.wan()
    return PipelineOutline(
      modules: base.layout.modules, units: [], latents: model.latents, prediction: .noise,
      skippableTextLayers: nil, tokens: 16, prepared: model.items)
  }

  static func encoder(of base: BaseModel, _ settings: ModelSettings) -> (any LatentEncoder)? {
    Issue.record("pictures come encoded")
    return nil
  }

  init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    layers = [
      Layer(
        component: "unet", path: Self.path, .linear,
        weight: try #require(base.file[Self.path + ".weight"]).tensor(), bias: nil, compute: .f32)
    ]
  }

  static func captionEncoders(
    of base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool
  ) -> [any CaptionEncoder] { [] }

  func condition(_ encoded: [Variable], _ sizes: [PictureSize]) -> Tensor {
    Issue.record("captions come encoded")
    return Tensor(zeros: [sizes.count, 16])
  }

  /// The first token of each caption.
  func condition(kept: [[String: Tensor]], _ sizes: [PictureSize]) -> Tensor {
    Tensor([kept.count, 16], kept.flatMap { $0["t5"].map { Array($0.elements.prefix(16)) } ?? [] })
  }

  func predict(_ noisy: Variable, at times: [Float], _ condition: Tensor) -> Variable {
    layers[0](noisy).addingToChannels(Variable(condition))
  }
}
