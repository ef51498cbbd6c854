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
    try StableDiffusionModel.check(parameters)
    try checkVocabulary(of: parameters)
    _ = try MergedParameters(parameters, settings.merged)
    let configuration = try StableDiffusionConfiguration(
      reading: base.file.path, family: base.layout.family)
    let modules = base.layout.modules.filter { $0.role == .denoiser || $0.role == .text }
    let autoencoder = try Autoencoder(of: base, settings.vae, configuration.vae)
    return PipelineOutline(
      modules: modules, units: LayerUnit.units(ofUNet: modules.filter { $0.role == .denoiser }),
      latents: autoencoder?.latents ?? base.layout.family.commonLatents,
      prediction: configuration.predictsVelocity.map { $0 ? .velocity : .noise },
      skippableTextLayers: modules.count { $0.path.hasSuffix("self_attn.q_proj") },
      tokens: settings.maxTokenLength + 2, hasEncoder: autoencoder != nil)
  }

  package static func encoder(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> (any LatentEncoder)? {
    try Autoencoder(of: base, settings.vae)?.encoder(compute: .f32)
  }

  /// That the text encoder is for the tokenizer's tokens, before its weights are read.
  private static func checkVocabulary(of parameters: CheckpointParameters) throws {
    let table = parameters.shape(
      StableDiffusionModel.textComponent, "text_model.embeddings.token_embedding", "weight")
    if let table, table.rows != CLIPTokenizer.vocabularySize {
      throw ModelLoadingError.vocabulary(
        parameters.base.file.path, expected: CLIPTokenizer.vocabularySize, found: table.rows)
    }
  }
}
