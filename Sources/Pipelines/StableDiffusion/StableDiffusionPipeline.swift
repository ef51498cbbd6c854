package import Autograd
package import Checkpoints
import DiffusionModels
import ModelFamilies
import Tensors

/// Stable Diffusion 1 and 2: a UNet that sees the vectors of a CLIP text encoder, one for each token.
package final class StableDiffusionPipeline: ModelPipeline {
  package static let families = ["sd1", "sd2"]

  private let model: StableDiffusionModel
  private let text: TextConditioning

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    model = try StableDiffusionModel(
      base, compute: settings.compute, storage: settings.holdsInt8 ? .int8 : .compute,
      merging: settings.merged, loadsVAE: false)
    model.unet.checkpointsBlocks = checkpointsBlocks
    model.textEncoder.checkpointsBlocks = checkpointsBlocks
    text = TextConditioning(
      tokenizer: model.tokenizer, encoder: model.textEncoder, clipSkip: settings.clipSkip ?? 1,
      maxTokenLength: settings.maxTokenLength, readsWeights: settings.weighsCaptions)
  }

  package var layers: [Layer] { model.layers }

  package func prepare(for captions: Set<String>?, training trained: Set<String>) {
    text.isTrained = trained.contains(StableDiffusionModel.textComponent)
    if let captions { text.settle(for: captions) }
  }

  package func condition(_ captions: [String], _ sizes: [PictureSize]) -> Variable {
    text.context(of: captions)
  }

  package func predict(
    _ noisy: Variable, at times: [Float], _ context: Variable
  ) -> Variable {
    model.unet(noisy, timesteps: times, context: context)
  }
}
