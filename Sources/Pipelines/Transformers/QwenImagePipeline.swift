package import Autograd
package import Checkpoints
import DiffusionModels
import LinearAlgebra
import ModelFamilies
import Safetensors
package import Tensors

/// Qwen-Image: from a caption; and Qwen-Image-Edit: from a caption and other pictures, which come as latents.
///
/// Source: musubi-tuner `qwen_image_train_network.py`.
package final class QwenImagePipeline: PreparedFamily {
  package static let families = ["qwen-image"]

  /// What the transformer reads besides latents and times.
  package struct Condition {
    /// `[batch, rows, columns]`, of a language model.
    let text: Variable
    /// Rows of each sample that are text.
    let counts: [Int]
    /// `[batch, images, height, width, channels]`: pictures that are seen.
    let shown: [Variable]
  }

  private let transformer: QwenImageTransformer

  package static func fits(_ base: BaseModel) -> Bool {
    let parameters = CheckpointParameters(base)
    return parameters.shape("unet", "transformer_blocks.0.img_mod.1", "weight") != nil
      && parameters.shape("unet", "txt_norm", "weight") != nil
  }

  package static func outline(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> PipelineOutline {
    let (parameters, family) = (CheckpointParameters(base), base.layout.family)
    guard let input = parameters.shape("unet", "img_in", "weight")?.columns else {
      throw ModelLoadingError.missingComponent(base.file.path, component: "unet")
    }
    _ = try MergedParameters(parameters, settings.merged)
    let latents = family.commonLatents
    // Of patches of two by two.
    guard input == 4 * latents.channels else {
      throw ModelLoadingError.videoChannels(
        base.file.path, expected: [latents.channels], found: input / 4)
    }
    try ModelLoadingError.requireOutputs(of: "proj_out", parameters, latents)
    let modules = base.layout.modules.filter { $0.role == .denoiser }
    try rows.requireWhole(modules, in: base.file.path)
    let columns = parameters.shape("unet", "txt_norm", "weight")?.count
    let texts = PreparedItems.Array.text("vl_embed", [nil, columns])
    let pictures = PreparedItems.Array.series(shown, channels: latents.channels)
    return PipelineOutline(
      modules: modules, units: units(of: modules), blocks: rows.blocks(of: modules),
      latents: latents, prediction: .flow(timeOffset: 1), variant: settings.variant,
      skippableTextLayers: nil, tokens: 256,
      prepared: PreparedItems(
        family.caches(of: settings.variant),
        settings.variant == nil ? [texts] : [texts, pictures]))
  }

  /// Of pictures that are seen, with a number behind.
  private static let shown = "latents_control"

  private static let rows: BlockRows = [["transformer_blocks"]]

  private static func units(of modules: [FamilyModule]) -> [LayerUnit] {
    LayerUnit.units(ofTransformer: modules, rows) { path in
      if path.contains("_mod.") || path.hasPrefix("time_text_embed") || path.hasPrefix("norm_out") {
        return .init(kind: .vector)
      }
      let ofText =
        path.contains(".txt_mlp") || path.contains(".add_") || path.contains(".to_add_out")
        || path.hasPrefix("txt_")
      let attends = path.hasSuffix("attn.to_out.0") || path.hasSuffix("attn.to_add_out")
      return .init(kind: ofText ? .text : .video, keys: attends ? .both : nil)
    }
  }

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    let weights = try MergedParameters(CheckpointParameters(base), settings.merged)
    var configuration = QwenImageConfiguration()
    configuration.showsAtTimeZero =
      base.layout.family.flowRules(of: settings.variant).showsAtTimeZero
    var transformer = try ModelLoadingError.inFile(base.file.path) {
      try QwenImageTransformer(
        weights, configuration: configuration, compute: settings.compute,
        storage: settings.storage, streamedBlocks: settings.streamedBlocks)
    }
    transformer.checkpointsBlocks = checkpointsBlocks
    self.transformer = transformer
  }

  package var layers: [Layer] { transformer.layers }

  package func condition(kept: [[String: Tensor]], _ sizes: [PictureSize]) -> Condition {
    let texts = kept.map { $0.array("vl_embed") }
    let counts = texts.map(\.shape.rows)
    let most = counts.max() ?? 1
    let names = (0...).lazy.map { "\(Self.shown)_\($0)" }
      .prefix { name in kept.allSatisfy { $0[name] != nil } }
    return Condition(
      text: Variable(.stacked(texts.map { $0.rows(filledTo: most) })), counts: counts,
      shown: names.compactMap { kept.stacked($0).map { Variable($0).asImages } })
  }

  package func predict(
    _ noisy: Variable, at times: [Float], _ condition: Condition
  ) -> Variable {
    transformer(
      noisy.asImages, at: times, text: condition.text, counts: condition.counts,
      shown: condition.shown
    ).reshaped(noisy.shape)
  }
}

extension Variable {
  /// `[batch, images, height, width, channels]`, also of latents without an axis of images.
  fileprivate var asImages: Variable {
    let d = shape.dimensions
    return d.count == 4 ? reshaped([d[0], 1, d[1], d[2], d[3]]) : self
  }
}
