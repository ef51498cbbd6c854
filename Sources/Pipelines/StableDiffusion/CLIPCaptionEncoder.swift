import Autograd
import DiffusionModels
import ModelFamilies

/// A CLIP text encoder that is given captions.
struct CLIPCaptionEncoder: CaptionEncoder {
  let component: String
  let model: CLIPTextModel
  let tokenizer: CLIPTokenizer
  private(set) var settings: ModelSettings
  /// What the denoiser reads of it: vectors of tokens, then whatever else, by the rows of tokens.
  let outputs: (_ model: CLIPTextModel, _ rows: [[[Int]]]) -> [Variable]

  init(
    component: String, model: CLIPTextModel, tokenizer: CLIPTokenizer, settings: ModelSettings,
    outputs: @escaping (_ model: CLIPTextModel, _ rows: [[[Int]]]) -> [Variable]
  ) {
    self.component = component
    self.model = model
    self.tokenizer = tokenizer
    self.settings = settings
    self.outputs = outputs
  }

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

  var ofPrompts: any CaptionEncoder {
    var encoder = self
    encoder.settings.takesWholeCaptions = true
    encoder.settings.weighsCaptions = true
    encoder.settings.restoresMeans = true
    return encoder
  }
}
