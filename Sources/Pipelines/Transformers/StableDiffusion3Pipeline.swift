package import Autograd
package import Checkpoints
import DiffusionModels
import ModelFamilies
import Safetensors
import Tensors

/// Stable Diffusion 3 and 3.5: a transformer that sees the rows of CLIP-L, CLIP-G and T5 beside its own tokens, and is
/// told one vector for the whole caption.
///
/// Source: sd-scripts `sd3_train_network.py`, `library/strategy_sd3.py`.
package final class StableDiffusion3Pipeline: AutoencodedFamily {
  package static let families = ["sd3"]

  let transformer: StableDiffusion3Transformer
  /// Text encoders that there are.
  let encoders: [String]

  package static func fits(_ base: BaseModel) -> Bool {
    let parameters = CheckpointParameters(base)
    return parameters.shape("unet", "joint_blocks.0.x_block.adaLN_modulation.1", "weight") != nil
      && parameters.shape("unet", "", "pos_embed") != nil
  }

  package static func outline(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> PipelineOutline {
    let (parameters, family) = (CheckpointParameters(base), base.layout.family)
    guard let input = parameters.shape("unet", "x_embedder.proj", "weight")?.dimensions,
      input.count > 1
    else {
      throw ModelLoadingError.missingComponent(base.file.path, component: "unet")
    }
    let notices = try requireText(base, settings)
    _ = try MergedParameters(parameters, settings.merged)
    let latents = family.commonLatents
    guard input[1] == latents.channels else {
      throw ModelLoadingError.videoChannels(
        base.file.path, expected: [latents.channels], found: input[1])
    }
    try ModelLoadingError.requireOutputs(of: "final_layer.linear", parameters, latents)
    let autoencoder = try Autoencoder(of: base, settings.vae)
    try autoencoder?.require(latents)
    let modules = base.layout.modules.filter { $0.role == .denoiser }
    // The text ends in the last block, the second attention of the picture in some block.
    try rows.requireWhole(modules, in: base.file.path) { path in
      ["context", "to_add_out", "attn2."].contains(where: path.contains)
    }
    let tokens = clipRows + (settings.t5MaxTokenLength ?? t5Rows)
    let columns = parameters.shape("unet", "context_embedder", "weight")?.columns ?? 0
    return PipelineOutline(
      // T5 is not trained.
      modules: modules + base.layout.modules.filter { clipEncoders.contains($0.component) },
      units: units(of: modules), blocks: rows.blocks(of: modules),
      latents: autoencoder?.latents ?? latents,
      prediction: .flow(timeOffset: family.flowRules().timeOffset), variant: variant(of: modules),
      skippableTextLayers: nil,
      longestSide: PositionGrid.side(of: parameters.shape("unet", "", "pos_embed"))
        .map { $0 * latents.step },
      tokens: tokens, captionBytes: tokens * columns * MemoryLayout<Float>.stride,
      streamedText: family.textEncoders.flatMap { TextPart($0, of: base, settings).streamedBlocks },
      autoencoder: autoencoder?.outline, notices: notices)
  }

  /// As sd-scripts tells the models apart, and names them.
  private static func variant(of modules: [FamilyModule]) -> String {
    if !modules.contains(where: { $0.graphPath.hasSuffix(".attn.ln_q") }) { return "medium" }
    return modules.contains { $0.graphPath.contains(".attn2.") } ? "5-medium" : "5-large"
  }

  private static let rows: BlockRows = [["joint_blocks", "transformer_blocks"]]

  static func units(of modules: [FamilyModule]) -> [LayerUnit] {
    LayerUnit.units(ofTransformer: modules, rows) { path in
      if path.contains("adaLN") || path.hasPrefix("t_embedder") || path.hasPrefix("y_embedder") {
        return .init(kind: .vector)
      }
      if path.hasSuffix("x_block.attn2.proj") { return .init(kind: .video, keys: .video) }
      let ofText =
        path.contains(".context_block.") || path.contains(".add_")
        || path.hasPrefix("context_embedder")
      return .init(
        kind: ofText ? .text : .video, keys: path.hasSuffix("_block.attn.proj") ? .both : nil)
    }
  }

  package static let readsWeights = false

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    var configuration = StableDiffusion3Configuration()
    configuration.scalesFirst = base.layout.modules.contains { $0.path == "norm_out.linear" }
    if let heads = try TransformerConfiguration(of: base)?.heads {
      configuration.heads = .count(heads)
    }
    let weights = try MergedParameters(CheckpointParameters(base), settings.merged)
    var transformer = try ModelLoadingError.inFile(base.file.path) {
      try StableDiffusion3Transformer(
        weights, configuration: configuration, compute: settings.compute,
        storage: settings.storage, streamedBlocks: settings.streamedBlocks)
    }
    transformer.checkpointsBlocks = checkpointsBlocks
    self.transformer = transformer
    encoders = Self.encoders(of: base, settings)
  }

  package var layers: [Layer] { transformer.layers }

  package func predict(
    _ noisy: Variable, at times: [Float], _ condition: Condition
  ) -> Variable {
    transformer(noisy, at: times, text: condition.text, pooled: condition.pooled)
  }
}
