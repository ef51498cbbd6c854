package import Autograd
package import Checkpoints
import DiffusionModels
import LinearAlgebra
import ModelFamilies
import Safetensors
package import Tensors

/// HunyuanVideo: from a caption, or from a caption and the first frame.
///
/// Source: musubi-tuner `hv_train_network.py`.
package final class HunyuanVideoPipeline: PreparedFamily {
  package static let families = ["hunyuan-video"]

  /// What the transformer reads besides latents and times.
  package struct Condition {
    /// `[batch, rows, columns]`, of a language model.
    let text: Variable
    /// Rows of each sample that are text.
    let counts: [Int]
    /// `[batch, columns]`, of CLIP.
    let caption: Variable
    /// `[batch, frames, height, width, channels]`: the first frame, then zeros; nil for models that do not see it.
    let known: Variable?
  }

  private let transformer: HunyuanVideoTransformer
  /// Told to a model that was distilled: as musubi-tuner trains, 1, and not a thousandfold.
  private let guidance: Float
  private let latents: LatentLayout

  package static func fits(_ base: BaseModel) -> Bool {
    let parameters = CheckpointParameters(base)
    return parameters.shape("unet", "double_blocks.0.img_attn_q_norm", "weight") != nil
      && parameters.shape("unet", "txt_in.input_embedder", "weight") != nil
  }

  package static func outline(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> PipelineOutline {
    let (parameters, family) = (CheckpointParameters(base), base.layout.family)
    guard let input = parameters.shape("unet", "img_in.proj", "weight")?.dimensions, input.count > 1
    else {
      throw ModelLoadingError.missingComponent(base.file.path, component: "unet")
    }
    _ = try MergedParameters(parameters, settings.merged)
    let latents = family.commonLatents
    guard [latents.channels, 2 * latents.channels].contains(input[1]) else {
      throw ModelLoadingError.videoChannels(
        base.file.path, expected: [latents.channels, 2 * latents.channels], found: input[1])
    }
    try ModelLoadingError.requireOutputs(of: "final_layer.linear", parameters, latents)
    let columns = parameters.shape("unet", "txt_in.input_embedder", "weight")?.columns
    let pooled = parameters.shape("unet", "vector_in.in_layer", "weight")?.columns
    let modules = base.layout.modules.filter { $0.role == .denoiser }
    try BlockRows.streams.requireWhole(modules, in: base.file.path)
    return PipelineOutline(
      modules: modules, units: LayerUnit.units(ofStreams: modules),
      blocks: BlockRows.streams.blocks(of: modules),
      latents: latents, prediction: .flow(timeOffset: 1), skippableTextLayers: nil, tokens: 256,
      takesGuidance: parameters.shape("unet", "guidance_in.mlp.0", "weight") != nil,
      prepared: PreparedItems(
        family.commonCaches,
        [.text("llm", [nil, columns]), .text("llm_mask", [nil]), .text("clipL", [pooled])]))
  }

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    let parameters = CheckpointParameters(base)
    var configuration = HunyuanVideoConfiguration()
    configuration.scalesFirst = base.layout.modules.contains { $0.path == "norm_out.linear" }
    let weights = try MergedParameters(parameters, settings.merged)
    var transformer = try ModelLoadingError.inFile(base.file.path) {
      try HunyuanVideoTransformer(
        weights, configuration: configuration, compute: settings.compute,
        storage: settings.storage, streamedBlocks: settings.streamedBlocks)
    }
    transformer.checkpointsBlocks = checkpointsBlocks
    self.transformer = transformer
    guidance = Float(settings.guidance ?? 1)
    latents = base.layout.family.commonLatents
  }

  package var layers: [Layer] { transformer.layers }

  package func condition(kept: [[String: Tensor]], _ sizes: [PictureSize]) -> Condition {
    let texts = kept.map { Self.words(of: $0) }
    let counts = texts.map(\.shape.rows)
    let most = counts.max() ?? 1
    let captions = kept.map { item in
      let caption = item.array("clipL")
      return caption.reshaped([1, caption.count])
    }
    return Condition(
      text: Variable(.stacked(texts.map { $0.rows(filledTo: most) })), counts: counts,
      caption: Variable(.stacked(captions)),
      known: transformer.channels > transformer.outputs ? firstFrames(of: kept) : nil)
  }

  /// The rows of text that the mask leaves; one of what is no caption at all, as musubi-tuner shows it.
  private static func words(of item: [String: Tensor]) -> Tensor {
    let text = item.array("llm")
    return text.rows(leftBy: item.array("llm_mask")) ?? text.rows(0..<1)
  }

  /// Latents of which all frames but the first are zero.
  private func firstFrames(of kept: [[String: Tensor]]) -> Variable? {
    guard var latents = kept.stacked("latents").map({ self.latents.scaled($0) }) else {
      return nil
    }
    let d = latents.shape.dimensions
    let (sample, frame) = (d[1] * d[2] * d[3] * d[4], d[2] * d[3] * d[4])
    for index in 0..<d[0] {
      for i in index * sample + frame..<(index + 1) * sample { latents.elements[i] = 0 }
    }
    return Variable(latents)
  }

  package func predict(
    _ noisy: Variable, at times: [Float], _ condition: Condition
  ) -> Variable {
    transformer(
      condition.known.map { noisy.appendingChannels($0) } ?? noisy, at: times,
      text: condition.text, counts: condition.counts, caption: condition.caption,
      guidance: guidance)
  }
}
