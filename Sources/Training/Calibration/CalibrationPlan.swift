import Autograd
package import Checkpoints
import Machine
import ModelFamilies
import Pipelines
import Safetensors
import Sampling
import SystemPackage
import Tensors

/// A run of a model that watches its layers, before any weight is read: whatever is wrong with model, pictures or prompts
/// is found here.
package struct CalibrationPlan {
  package let settings: CalibrationSettings
  package let base: BaseModel
  let pipeline: any ModelPipeline.Type
  let outline: PipelineOutline
  /// What the model runs on.
  enum Input {
    case items(TrainingSet)
    case drawn([PictureRequest])
  }
  let input: Input
  /// What the user should know before it starts.
  package let notices: [String]

  /// Steps of a picture that is drawn.
  private static let steps = 8

  /// - Throws: `ModelLoadingError`, `DatasetError`, `PromptError`, `SamplingError`, and what opening throws.
  package init(_ given: CalibrationSettings) throws {
    var settings = given
    (base, pipeline) = try ModelPipelines.open(
      given.model.base, as: given.model.family, supposed: given.model.supposed,
      parts: given.model.componentFiles)
    if case .datasets(let file) = given.source, base.layout.family.prepared != nil {
      settings.model.itemsAreEncoded = try DatasetFile.isOfEncodedItems(file)
    }
    outline = try pipeline.outline(of: base, settings.model)
    if given.isNarrow || outline.isTransformer && TrainingPlan.isNarrow(base) {
      settings.model.compute = .bf16
    }
    self.settings = settings
    var notices = outline.notices
    switch settings.source {
    case .pictures, .datasets:
      let images = try Self.images(settings, outline, PictureRules(of: base, outline))
      notices += images.notices
      input = .items(images)
    case .drawn(let prompts):
      input = .drawn(
        try Self.requests(prompts, settings, outline, of: base, pipeline, &notices))
    }
    self.notices = notices
  }

  /// Pictures are never enlarged, and no larger than the family draws them.
  private static func images(
    _ settings: CalibrationSettings, _ outline: PipelineOutline, _ rules: PictureRules
  ) throws -> TrainingSet {
    var defaults = DatasetDefaults()
    var values = DatasetValues()
    let usual = rules.sizes.usual
    values.resolution = Resolution(usual.width, usual.height)
    values.batchSize = 1
    values.enableBucket = true
    values.bucketNoUpscale = true
    switch settings.source {
    case .datasets(let file): defaults.configuration = file
    case .pictures(let folder):
      defaults.trainFolder = folder
      values.captionExtension = try CaptionFiles.commonEnding(in: folder)
    case .drawn: break
    }
    defaults.values = values
    let datasets = try DatasetConfiguration(
      defaults, latents: outline.latents, prepared: outline.prepared?.layout)
    guard let prepared = outline.prepared else {
      return try TrainingSet(datasets, seed: settings.seed)
    }
    return try TrainingSet(
      datasets, seed: settings.seed, prepared: prepared, latents: outline.latents)
  }

  /// As many pictures as the forward passes are enough for; each prompt as often as any other.
  private static func requests(
    _ prompts: [SamplePrompt], _ settings: CalibrationSettings, _ outline: PipelineOutline,
    of base: BaseModel, _ pipeline: any ModelPipeline.Type, _ notices: inout [String]
  ) throws -> [PictureRequest] {
    var drawing = SamplingConfiguration(model: settings.model, prompts: prompts)
    drawing.steps = steps
    let pictures = try DrawnPictures(
      drawing, outline, of: base, pipeline, seed: settings.seed, option: "--calibrate random",
      remedy: "or '--statistics'")
    // Where gradients are asked for, what is drawn gets noise of its own afterwards, a few times.
    let limit = settings.takesGradients ? (settings.samples + 1) / 2 : settings.samples
    var passes = 0
    return try pictures.requests(&notices) { request in
      defer { passes += request.passes }
      return passes < limit
    }
  }

  /// What is predicted, noise where nothing is said.
  var prediction: Prediction { outline.prediction ?? .noise }

  var schedule: NoiseSchedule { outline.drawingSchedule }

  /// Threads of the computation: those that were asked for, else as many as suit the model.
  var threads: Int {
    settings.threads ?? ComputeThreads.suited(to: operations, of: Processors.usable)
  }

  /// Multiplications and additions of a pass at the size that the family is trained at.
  private var operations: Double {
    let usual = PictureSizes(of: base.layout.family, stride: outline.latents.step).usual
    let extents = outline.latents.extents(ofPicture: usual.height, usual.width)
    let size = StepSize(height: extents.height, width: extents.width, tokens: outline.tokens)
    return outline.units.reduce(0) { sum, unit in
      sum + unit.layers.reduce(0) { $0 + $1.cost(size).operations }
    }
  }
}
