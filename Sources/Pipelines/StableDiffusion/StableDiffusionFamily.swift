package import Autograd
package import Checkpoints
package import DiffusionModels
import ModelFamilies

/// What the pipelines of Stable Diffusion 1, 2 and XL have in common: a UNet, CLIP text encoders, and an autoencoder.
package protocol StableDiffusionFamily: AutoencodedFamily {
  /// What the UNet reads of a text encoder: vectors of tokens, `[captions, tokens, width]`, then whatever else.
  /// - Parameters:
  ///   - index: which of the family's encoders it is.
  ///   - rows: of each caption, equally many.
  static func outputs(
    of encoder: CLIPTextModel, at index: Int, _ rows: [[[Int]]], _ settings: ModelSettings
  ) -> [Variable]
}

extension StableDiffusionFamily {
  package static func outline(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> PipelineOutline {
    let (parameters, family) = (CheckpointParameters(base), base.layout.family)
    try StableDiffusionModel.check(parameters, settings)
    try StableDiffusionModel.checkVocabulary(parameters, settings)
    _ = try MergedParameters(parameters, settings.merged)
    let configuration = try StableDiffusionConfiguration(of: base)
    let modules = base.layout.modules.filter { $0.role == .denoiser || $0.role == .text }
    let autoencoder = try Autoencoder(of: base, settings.vae, configuration.vae)
    return PipelineOutline(
      modules: modules, units: LayerUnit.units(ofUNet: modules.filter { $0.role == .denoiser }),
      latents: autoencoder?.latents ?? StableDiffusionModel.latents(without: parameters),
      prediction: configuration.predictsVelocity.map { $0 ? .velocity : .noise },
      hasZeroTerminalSNR: configuration.hasZeroTerminalSNR, betas: configuration.betas,
      // Of two encoders always the same layers are read.
      skippableTextLayers: family.textEncoders.count == 1
        ? modules.count { $0.path.hasSuffix("self_attn.q_proj") } : nil,
      tokens: settings.maxTokenLength + 2,
      captionBytes: (settings.maxTokenLength + 2) * MemoryLayout<Float>.stride
        * (StableDiffusionModel.contextWidth(of: parameters) ?? 0),
      autoencoder: autoencoder?.outline,
      notices: StableDiffusionConfiguration.notices(on: base))
  }

  package static func captionEncoders(
    of base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool
  ) throws -> [any CaptionEncoder] {
    let parameters = CheckpointParameters(base)
    try StableDiffusionModel.check(parameters, settings)
    try StableDiffusionModel.checkVocabulary(parameters, settings)
    let configuration = try StableDiffusionModel.configuration(of: base)
    let models = try StableDiffusionModel.textEncoders(
      of: base, settings, configuration, checkpointsBlocks: checkpointsBlocks)
    return zip(base.layout.family.textEncoders, models).enumerated().map { index, encoder in
      CLIPCaptionEncoder(
        component: encoder.0, model: encoder.1,
        tokenizer: CLIPTokenizer(padsWith: configuration.texts[index].padding), settings: settings
      ) { outputs(of: $0, at: index, $1, settings) }
    }
  }
}
