import Autograd
import DiffusionModels
import ModelFamilies

/// A CLIP text encoder that is given captions.
struct CLIPCaptionEncoder: CaptionEncoder {
  let component: String
  let model: CLIPTextModel
  let tokenizer: CLIPTokenizer
  let settings: ModelSettings
  /// What the denoiser reads of it: vectors of tokens, then whatever else, by the rows of tokens.
  let outputs: (_ model: CLIPTextModel, _ rows: [[[Int]]]) -> [Variable]

  var layers: [Layer] { model.layers }

  func encode(_ captions: [String]) -> [Variable] {
    let read = CLIPCaptions(
      captions, tokenizer,
      maxTokenLength: settings.takesWholeCaptions ? nil : settings.maxTokenLength,
      readsWeights: settings.weighsCaptions)
    var outputs = outputs(model, read.rows)
    outputs[0] = read.weighted(outputs[0], restoresMeans: settings.restoresMeans)
    return outputs
  }
}
