import Autograd
package import Checkpoints
import DiffusionModels
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors

extension StableDiffusionPipeline {
  package static func fits(_ base: BaseModel) -> Bool { base.isStableDiffusion }

  package static func outline(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> PipelineOutline {
    let parameters = CheckpointParameters(base)
    for component in ["unet", "te1"] where !parameters.has(component) {
      throw ModelLoadingError.missingComponent(base.file.path, component: component)
    }
    try check(parameters)
    _ = try MergedParameters(parameters, settings.merged)
    let configuration = try StableDiffusionConfiguration(
      reading: base.file.path, family: base.layout.family)
    let modules = base.layout.modules.filter { $0.role == .denoiser || $0.role == .text }
    let autoencoder = try Autoencoder(of: base, settings.vae)
    return PipelineOutline(
      modules: modules, units: LayerUnit.units(ofUNet: modules.filter { $0.role == .denoiser }),
      latents: autoencoder?.latents ?? Autoencoder.commonLatents(of: base.layout.family),
      prediction: configuration.predictsVelocity.map { $0 ? .velocity : .noise },
      skippableTextLayers: modules.count { $0.path.hasSuffix("self_attn.q_proj") },
      tokens: settings.maxTokenLength + 2, hasEncoder: autoencoder != nil)
  }

  package static func encoder(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> (any LatentEncoder)? {
    try Autoencoder(of: base, settings.vae)?.encoder(compute: .f32)
  }

  /// What `StableDiffusionModel` and its tokenizer ask of the checkpoint, as far as shapes tell.
  private static func check(_ parameters: CheckpointParameters) throws {
    let path = parameters.base.file.path
    if let input = parameters.shape("unet", "conv_in", "weight"), input.dimensions.count > 1,
      input.dimensions[1] != 4
    {
      throw ModelLoadingError.latentChannels(path, found: input.dimensions[1])
    }
    let table = parameters.shape("te1", "text_model.embeddings.token_embedding", "weight")
    if let table, table.rows != CLIPTokenizer.vocabularySize {
      throw ModelLoadingError.vocabulary(
        path, expected: CLIPTokenizer.vocabularySize, found: table.rows)
    }
  }
}
