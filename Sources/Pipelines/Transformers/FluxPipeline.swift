package import Autograd
package import Checkpoints
import DiffusionModels
import ModelFamilies
import Safetensors
import Tensors

/// Flux.1, dev and schnell from pictures as sd-scripts trains them, Kontext from encoded items as musubi-tuner does.
///
/// Sources: sd-scripts `flux_train_network.py`, `library/strategy_flux.py`; musubi-tuner
/// `flux_kontext_train_network.py`.
package final class FluxPipeline: AutoencodedFamily {
  package static let families = ["flux"]

  /// What the transformer reads besides latents and times.
  package struct Condition {
    /// `[batch, rows, columns]`, of T5.
    let text: Variable
    /// Rows of each sample that are seen, the first ones.
    let counts: [Int]
    /// `[batch, columns]`, of CLIP.
    let caption: Variable
    /// `[batch, height, width, channels]`, the picture that Kontext changes; nil where there is none.
    let control: Variable?
    /// nil for that of the settings.
    var guidance: Float?
  }

  private let transformer: FluxTransformer
  /// Told to a model that was distilled.
  private let guidance: Float
  /// Whether padding of captions is not seen.
  let masksText: Bool

  package static func fits(_ base: BaseModel) -> Bool {
    let parameters = CheckpointParameters(base)
    return [
      "double_blocks.0.img_attn.norm.query_norm", "txt_in", "vector_in.in_layer", "img_in",
    ].allSatisfy { parameters.shape("unet", $0, "weight") != nil }
  }

  package static func outline(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> PipelineOutline {
    let (parameters, family) = (CheckpointParameters(base), base.layout.family)
    let (latents, variant) = (family.commonLatents, variant(of: parameters, settings))
    guard let input = parameters.shape("unet", "img_in", "weight") else {
      throw ModelLoadingError.missingComponent(base.file.path, component: "unet")
    }
    _ = try MergedParameters(parameters, settings.merged)
    let places = latents.patch * latents.patch
    guard input.columns == places * latents.channels else {
      throw ModelLoadingError.videoChannels(
        base.file.path, expected: [latents.channels], found: input.columns / places)
    }
    try ModelLoadingError.requireOutputs(of: "final_layer.linear", parameters, latents)
    let notices = settings.itemsAreEncoded ? [] : try requireText(parameters, settings)
    let modules = base.layout.modules.filter { $0.role == .denoiser }
    try BlockRows.streams.requireWhole(modules, in: base.file.path)
    let rules = family.flowRules(of: variant)
    let text = settings.itemsAreEncoded ? nil : textOutline(of: base, settings)
    let autoencoder = settings.itemsAreEncoded ? nil : try Autoencoder(of: base, settings.vae)
    try autoencoder?.require(latents)
    return PipelineOutline(
      modules: modules + (text?.modules ?? []), units: LayerUnit.units(ofStreams: modules),
      blocks: BlockRows.streams.blocks(of: modules),
      latents: settings.itemsAreEncoded ? latents.asCached : autoencoder?.latents ?? latents,
      prediction: .flow(timeOffset: rules.timeOffset), variant: variant,
      skippableTextLayers: nil,
      tokens: tokens(of: parameters, settings), captionBytes: text?.bytes ?? 0,
      streamedText: text?.streamed ?? [], autoencoder: autoencoder?.outline,
      notices: notices, takesGuidance: takesGuidance(parameters),
      prepared: settings.itemsAreEncoded ? encodedItems(of: parameters) : nil)
  }

  /// Kontext where items come encoded; schnell is told no guidance.
  private static func variant(
    of parameters: CheckpointParameters, _ settings: ModelSettings
  ) -> String? {
    if settings.itemsAreEncoded { return ModelFamily.encoded }
    return takesGuidance(parameters) ? nil : "schnell"
  }

  private static func takesGuidance(_ parameters: CheckpointParameters) -> Bool {
    parameters.shape("unet", "guidance_in.in_layer", "weight") != nil
  }

  /// Tokens of T5: of schnell half as many, unless the settings say else.
  static func tokens(of parameters: CheckpointParameters, _ settings: ModelSettings) -> Int {
    settings.t5MaxTokenLength ?? (takesGuidance(parameters) ? 512 : 256)
  }

  private static func encodedItems(of parameters: CheckpointParameters) -> PreparedItems {
    let latents = parameters.base.layout.family.commonLatents
    return PreparedItems(
      parameters.base.layout.family.commonCaches,
      [
        .text("t5_vec", [nil, parameters.shape("unet", "txt_in", "weight")?.columns]),
        .text(
          "clip_l_pooler", [parameters.shape("unet", "vector_in.in_layer", "weight")?.columns]),
        .other("latents_control", channels: latents.channels),
      ])
  }

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    let parameters = CheckpointParameters(base)
    var configuration = FluxConfiguration()
    configuration.scalesFirst = base.layout.modules.contains { $0.path == "norm_out.linear" }
    configuration.axes = try TransformerConfiguration(of: base)?.axes
    let weights = try MergedParameters(parameters, settings.merged)
    var transformer = try ModelLoadingError.inFile(base.file.path) {
      try FluxTransformer(
        weights, configuration: configuration, compute: settings.compute,
        storage: settings.storage, streamedBlocks: settings.streamedBlocks)
    }
    transformer.checkpointsBlocks = checkpointsBlocks
    self.transformer = transformer
    let rules = base.layout.family.flowRules(of: Self.variant(of: parameters, settings))
    guidance = Float(settings.guidance ?? rules.guidance)
    masksText = settings.appliesT5Mask
  }

  package var layers: [Layer] { transformer.layers }

  package func predict(
    _ noisy: Variable, at times: [Float], _ condition: Condition
  ) -> Variable {
    transformer(
      noisy, control: condition.control, at: times, text: condition.text, counts: condition.counts,
      caption: condition.caption, guidance: condition.guidance ?? guidance)
  }

  package func telling(_ guidance: Float, in condition: Condition) -> Condition {
    var condition = condition
    condition.guidance = guidance
    return condition
  }
}
