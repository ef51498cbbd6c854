import Checkpoints
import ModelFamilies
import Pipelines
import Safetensors
import Sampling
import SystemPackage

/// Pictures that a model is asked to draw as far as their latents, which stand in the place of pictures that somebody
/// has. Each prompt is drawn as often as any other.
struct DrawnPictures {
  private let drawing: SamplingConfiguration
  private let rules: PictureRules
  private let seed: UInt64

  /// - Parameters:
  ///   - drawing: prompts, and what counts for those that do not say it themselves.
  ///   - seed: of the first picture without one, the others count on from it.
  ///   - option: that asks for it, and `remedy` what else would do, for messages.
  /// - Throws: `TrainingError.undrawnFamily`
  init(
    _ drawing: SamplingConfiguration, _ outline: PipelineOutline, of base: BaseModel,
    _ pipeline: any ModelPipeline.Type, seed: UInt64, option: String, remedy: String = ""
  ) throws(TrainingError) {
    guard pipeline.drawsPictures, outline.prepared == nil else {
      throw .undrawnFamily(base.file.path, base.layout.family, option: option, remedy: remedy)
    }
    self.drawing = drawing
    self.seed = seed
    rules = PictureRules(of: base, outline)
  }

  /// - Parameters:
  ///   - notices: gets what is drawn otherwise than it was asked for, each thing once.
  ///   - isWanted: asked about each of them in turn, until one is not.
  /// - Throws: `SamplingError`
  func requests(
    _ notices: inout [String], while isWanted: (PictureRequest) -> Bool
  ) throws(SamplingError) -> [PictureRequest] {
    let prompts = drawing.prompts
    var found: [String] = []
    var requests: [PictureRequest] = []
    while true {
      let index = requests.count % prompts.count
      let prompt = prompts[index]
      var request = drawing.request(
        of: prompt, at: index, rules, seed: seed &+ UInt64(requests.count), &found)
      // A seed counts for the first picture of a prompt.
      if prompt.seed != nil { request.seed &+= UInt64(requests.count / prompts.count) }
      // Without a text there is nothing to be drawn away from.
      if prompt.text.isEmpty { request.scale = 1 }
      try rules.check(request, at: prompt.place)
      guard isWanted(request) else { break }
      requests.append(request)
    }
    notices += Set(found).sorted()
    return requests
  }
}

extension PictureRequest {
  /// Forward passes of one sample.
  var passes: Int { steps * (isGuided ? 2 : 1) }
}

extension PipelineOutline {
  /// By which pictures are drawn of what is predicted.
  var drawingSchedule: NoiseSchedule {
    NoiseSchedule(zeroTerminal: hasZeroTerminalSNR && prediction == .velocity)
  }
}
