import Sampling
import SystemPackage

/// What was drawn, for `--json`.
struct SamplingReport: Encodable {
  struct Picture: Encodable {
    /// nil where it stands in a grid alone.
    let file: String?
    let prompt, negativePrompt: String
    let width, height: Int
    let seed: UInt64
    let steps: Int
    let scale: Double
    /// What the model was told; nil for one that is told nothing.
    let guidanceScale: Double?
    let sampler: String
    /// The column of a grid.
    let variant: String?

    init(_ request: PictureRequest, _ path: FilePath?, variant: String) {
      file = path?.string
      prompt = request.prompt
      negativePrompt = request.negative
      width = request.width
      height = request.height
      seed = request.seed
      steps = request.steps
      scale = request.scale
      guidanceScale = request.guidance
      sampler = request.sampler.title
      self.variant = variant.isEmpty ? nil : variant
    }
  }

  /// Of the first picture of prompts that say none.
  let seed: UInt64
  var pictures: [Picture] = []
  var grid: String?
  var seconds = 0.0

  init(seed: UInt64) { self.seed = seed }
}
