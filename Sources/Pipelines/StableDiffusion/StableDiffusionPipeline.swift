package import Autograd
package import Checkpoints
import DiffusionModels
import ModelFamilies
import Tensors

/// Stable Diffusion 1 and 2: a UNet that sees the vectors of a CLIP text encoder, one for each token.
package final class StableDiffusionPipeline: StableDiffusionFamily {
  package static let families = ["sd1", "sd2"]

  private let model: StableDiffusionModel
  private let captions: KnownCaptions

  package static func fits(_ base: BaseModel) -> Bool { base.isStableDiffusion }

  package init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws {
    try StableDiffusionModel.checkVocabulary(CheckpointParameters(base), settings)
    model = try StableDiffusionModel(base, settings, checkpointsBlocks: checkpointsBlocks)
    captions = KnownCaptions(
      Encoder(
        encoder: model.textEncoders[0], tokenizer: model.tokenizer(of: 0), settings: settings),
      keepsAll: settings.keepsAllText)
  }

  package var layers: [Layer] { model.layers }

  package func prepare(
    for captions: Set<String>?, training trained: Set<String>, progress: (Int, Int) -> Bool
  ) {
    self.captions.isTrained = trained.contains(model.family.textEncoders[0])
    if let captions, self.captions.settle(for: captions, progress: progress) {
      model.releaseTextEncoders()
    }
  }

  package func condition(_ captions: [String], _ sizes: [PictureSize]) -> Variable {
    self.captions.encoded(captions)[0]
  }

  package func predict(
    _ noisy: Variable, at times: [Float], _ context: Variable
  ) -> Variable {
    model.unet(noisy, timesteps: times, context: context)
  }

  private struct Encoder: CaptionEncoder {
    let encoder: CLIPTextModel
    let tokenizer: CLIPTokenizer
    let settings: ModelSettings

    func encode(_ captions: [String]) -> [Variable] {
      let read = CLIPCaptions(
        captions, tokenizer, maxTokenLength: settings.maxTokenLength,
        readsWeights: settings.weighsCaptions)
      return [read.weighted(encoder.encode(read.rows, clipSkip: settings.clipSkip ?? 1))]
    }
  }
}
