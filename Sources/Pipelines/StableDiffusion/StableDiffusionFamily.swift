import Autograd
package import Checkpoints
import DiffusionModels
import ModelFamilies

/// What the pipelines of Stable Diffusion 1, 2 and XL have in common: a UNet, CLIP text encoders, and an autoencoder.
package protocol StableDiffusionFamily: ModelPipeline {}

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
      latents: autoencoder?.latents ?? family.commonLatents,
      prediction: configuration.predictsVelocity.map { $0 ? .velocity : .noise },
      hasZeroTerminalSNR: configuration.hasZeroTerminalSNR,
      // Of two encoders always the same layers are read.
      skippableTextLayers: family.textEncoders.count == 1
        ? modules.count { $0.path.hasSuffix("self_attn.q_proj") } : nil,
      tokens: settings.maxTokenLength + 2,
      captionBytes: (settings.maxTokenLength + 2) * MemoryLayout<Float>.stride
        * (StableDiffusionModel.contextWidth(of: parameters) ?? 0),
      hasEncoder: autoencoder != nil)
  }

  package static func encoder(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> (any LatentEncoder)? {
    try Autoencoder(of: base, settings.vae)?.encoder(compute: .f32)
  }
}
