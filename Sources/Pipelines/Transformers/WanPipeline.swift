package import Autograd
package import Checkpoints
import DiffusionModels
import LinearAlgebra
import ModelFamilies
import Safetensors
package import Tensors

/// Wan 2.1 and 2.2: from a caption, or from a caption and a first picture.
///
/// Source: musubi-tuner `wan_train_network.py`.
package final class WanPipeline: PreparedFamily {
  package static let families = ["wan"]

  /// What the transformer reads besides latents and times.
  package struct Condition {
    /// `[batch, 512, columns]`
    let text: Variable
    /// `[batch, rows, columns]`, what CLIP sees in the first picture; nil for models that do not look at it.
    let picture: Variable?
    /// `[batch, frames, height, width, channels]`, the first picture as latents and where it is.
    let known: Variable?
  }

  private let transformer: WanTransformer

  package static func fits(_ base: BaseModel) -> Bool {
    let parameters = CheckpointParameters(base)
    return parameters.shape("unet", "blocks.0.self_attn.norm_q", "weight") != nil
      && parameters.shape("unet", "head.head", "weight") != nil
  }

  package static func outline(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> PipelineOutline {
    let (parameters, family) = (CheckpointParameters(base), base.layout.family)
    guard let input = parameters.shape("unet", "patch_embedding", "weight")?.dimensions,
      input.count > 1
    else { throw ModelLoadingError.missingComponent(base.file.path, component: "unet") }
    _ = try MergedParameters(parameters, settings.merged)
    let latents = family.commonLatents
    let known = input[1] - latents.channels
    guard known == 0 || known == latents.channels + maskChannels else {
      throw ModelLoadingError.videoChannels(
        base.file.path, expected: [latents.channels, 2 * latents.channels + maskChannels],
        found: input[1])
    }
    let columns = parameters.shape("unet", "text_embedding.0", "weight")?.columns
    var arrays = [PreparedItems.Array.text("t5", [nil, columns])]
    if known > 0 {
      arrays.append(.latents("latents_image", channels: known, option: "--i2v"))
    }
    if let seen = parameters.shape("unet", "img_emb.proj.0", "weight")?.count {
      arrays.append(.picture("clip", [nil, seen], option: "--i2v --clip PATH"))
    }
    let modules = base.layout.modules.filter { $0.role == .denoiser }
    return PipelineOutline(
      modules: modules, units: units(of: modules), blocks: rows.blocks(of: modules),
      latents: latents, prediction: .flow(timeOffset: 1), skippableTextLayers: nil,
      tokens: WanConfiguration().textLength, hasEncoder: false,
      prepared: PreparedItems(family.commonCaches, arrays))
  }

  /// Of where the first picture is.
  private static let maskChannels = 4

  private static let rows: BlockRows = [["blocks"]]

  private static func units(of modules: [FamilyModule]) -> [LayerUnit] {
    LayerUnit.units(ofTransformer: modules, rows) { path in
      switch path.split(separator: ".").dropFirst(2).joined(separator: ".") {
      case "self_attn.o": .init(kind: .video, keys: .video)
      case "cross_attn.o": .init(kind: .video, keys: .text)
      case let layer where layer.hasPrefix("cross_attn.k") || layer.hasPrefix("cross_attn.v"):
        .init(kind: .text)
      default:
        .init(
          kind: path.hasPrefix("time_")
            ? .vector
            : path.hasPrefix("text_") || path.hasPrefix("img_") ? .text : .video)
      }
    }
  }

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    let parameters = CheckpointParameters(base)
    var configuration = WanConfiguration()
    if let heads = try TransformerConfiguration(of: base)?.heads {
      configuration.heads = .count(heads)
    }
    let weights = try MergedParameters(parameters, settings.merged)
    var transformer = try ModelLoadingError.inFile(base.file.path) {
      try WanTransformer(
        weights, configuration: configuration, compute: settings.compute,
        storage: settings.storage, streamedBlocks: settings.streamedBlocks)
    }
    transformer.checkpointsBlocks = checkpointsBlocks
    self.transformer = transformer
  }

  package var layers: [Layer] { transformer.layers }

  package func condition(kept: [[String: Tensor]], _ sizes: [PictureSize]) -> Condition {
    Condition(
      text: Variable(
        .stacked(kept.map { $0.array("t5").rows(filledTo: transformer.configuration.textLength) })),
      picture: kept.stacked("clip").map { Variable($0) },
      known: transformer.channels > transformer.outputs
        ? kept.stacked("latents_image").map { Variable($0) } : nil)
  }

  package func predict(
    _ noisy: Variable, at times: [Float], _ condition: Condition
  ) -> Variable {
    transformer(
      condition.known.map { noisy.appendingChannels($0) } ?? noisy, at: times,
      text: condition.text, picture: condition.picture)
  }
}
