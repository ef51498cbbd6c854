import Autograd
package import Checkpoints
import Machine
import ModelFamilies
package import Pipelines
import Safetensors

/// Pictures before any of them is drawn: what is drawn with what. Whatever is wrong with the input is found here.
package struct SamplingPlan {
  package let configuration: SamplingConfiguration
  package let base: BaseModel
  package let pipeline: any ModelPipeline.Type
  package let outline: PipelineOutline
  package let prediction: Prediction
  package let schedule: NoiseSchedule
  /// Of the first picture of prompts that say none.
  package let seed: UInt64
  /// Those of each variant: all of the first prompt, then all of the second.
  package let pictures: [PictureRequest]
  /// What the user should know before it starts.
  package let notices: [String]

  package var variants: [SamplingVariant] { configuration.variants }

  /// - Precondition: at least one variant.
  /// - Throws: `SamplingError`, `ModelLoadingError`, and what opening throws.
  package init(_ configuration: SamplingConfiguration) throws {
    var configuration = configuration
    let given = configuration.model
    let found: (base: BaseModel, pipeline: any ModelPipeline.Type)
    do {
      found = try ModelPipelines.open(
        given.base, as: given.family, supposed: given.supposed,
        parts: given.componentFiles, among: ModelPipelines.all.filter { $0.drawsPictures })
    } catch ModelLoadingError.unsupportedFamily(let path, let family, let supported) {
      throw SamplingError.family(path, family, supported: supported)
    }
    let (base, pipeline) = found
    // Others read brackets as text.
    if !pipeline.readsWeights { configuration.model.weighsCaptions = false }
    let model = configuration.model
    // Every adapter is looked at before the first weight is read.
    let outlines = try configuration.variants.map { variant in
      var settings = model
      settings.merged = variant.adapters
      return try pipeline.outline(of: base, settings)
    }
    let outline = outlines[0]
    guard outline.hasDecoder else { throw SamplingError.noDecoder(model.vae ?? base.file.path) }
    self.configuration = configuration
    (self.base, self.pipeline, self.outline) = (base, pipeline, outline)
    var notices = outline.notices
    let schedule = NoiseSchedule(
      outline.betas,
      zeroTerminal: configuration.hasZeroTerminalSNR || outline.hasZeroTerminalSNR)
    let prediction = Self.prediction(configuration, outline, &notices)
    if let clipSkip = model.clipSkip {
      if let layers = outline.skippableTextLayers {
        guard 1...layers ~= clipSkip else {
          throw SamplingError.clipSkip(layers: layers, found: clipSkip)
        }
      } else {
        notices.append(
          "'--clip_skip' has no effect: of \(base.layout.family.title) always the same layers are read"
        )
      }
    }
    let seed = configuration.seed ?? SamplingConfiguration.drawnSeed()
    let rules = PictureRules(of: base, outline)
    if rules.guidance == nil, configuration.guidance != nil {
      notices.append("'--guidance_scale' has no effect: the model is told no strength of guidance")
    }
    var pictures: [PictureRequest] = []
    for (index, prompt) in configuration.prompts.enumerated() {
      let first = configuration.request(of: prompt, at: index, rules, seed: seed, &notices)
      do throws(SamplerError) {
        _ = try first.solver(prediction, schedule)
      } catch {
        throw SamplingError.sampler(place: configuration.place(of: error, prompt), error)
      }
      try rules.check(first, at: prompt.place)
      pictures += (0..<configuration.count).map { first.counted(by: $0) }
    }
    (self.prediction, self.schedule, self.seed) = (prediction, schedule, seed)
    self.pictures = pictures
    self.notices = notices
  }

  /// What the user says goes before what the checkpoint says, and noise where nothing is said.
  private static func prediction(
    _ configuration: SamplingConfiguration, _ outline: PipelineOutline, _ notices: inout [String]
  ) -> Prediction {
    guard configuration.predictsVelocity else { return outline.prediction ?? .noise }
    switch outline.prediction {
    case .flow:
      notices.append("'--v_parameterization' has no effect: the model predicts the flow")
      return outline.prediction ?? .velocity
    case .noise:
      notices.append("the checkpoint says epsilon, and '--v_parameterization' draws as with v")
      return .velocity
    default: return .velocity
    }
  }

  /// How often the denoiser is asked for a picture.
  func callCount(of picture: PictureRequest) -> Int {
    let solver = try? picture.solver(prediction, schedule)
    return solver?.callCount ?? picture.steps
  }

  /// Threads of the computation: those that were asked for, else as many as suit the model.
  var threads: Int {
    configuration.threads
      ?? ComputeThreads.suited(
        to: operations, of: Processors.usable)
  }

  /// Multiplications and additions of the largest call of the denoiser.
  private var operations: Double {
    pictures.map { picture in
      let extents = outline.latents.extents(ofPicture: picture.height, picture.width)
      let size = StepSize(height: extents.height, width: extents.width, tokens: outline.tokens)
      let single = outline.units.reduce(0) { sum, unit in
        sum + unit.layers.reduce(0) { $0 + $1.cost(size).operations }
      }
      return single * Double(picture.texts.count)
    }.max() ?? 0
  }
}
