import Autograd
import Checkpoints
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import Tensors

extension TrainingPlan {
  /// The settings as far as they are of a checkpoint's family, with what the checkpoint says of itself; and what it
  /// holds.
  static func fitted(
    _ given: TrainingConfiguration, to base: BaseModel, _ pipeline: any ModelPipeline.Type
  ) throws -> (TrainingConfiguration, PipelineOutline) {
    var configuration = given
    let encoders = base.layout.family.textEncoders.count
    configuration.rates.textEncoders = Array(given.rates.textEncoders.prefix(max(encoders, 1)))
    if !pipeline.keepsText { configuration.textCaching = .none }
    if given.teacher != nil, given.isWithoutData {
      // There is nothing beside which files could lie.
      configuration.cache.place = .memory
      if configuration.textCaching == .disk { configuration.textCaching = .memory }
    }
    var model = given.model
    if base.layout.family.prepared != nil, let file = given.images.configuration {
      model.itemsAreEncoded = try model.itemsAreEncoded || DatasetFile.isOfEncodedItems(file)
      configuration.model.itemsAreEncoded = model.itemsAreEncoded
    }
    // Text encoders are asked for where something is missing.
    model.textIsKept = configuration.textCaching == .disk
    let family = base.layout.family
    if let variant = model.variant, !family.variants.contains(variant) {
      throw SettingError.value(
        option: "--model_version",
        expected: (["original"] + family.variants).joined(separator: ", ") + " of \(family.title)",
        found: variant)
    }
    let outline = try pipeline.outline(of: base, model)
    if given.model.highNoise != nil, !outline.takesHighNoise {
      throw SettingError.combination(
        "'--dit_high_noise': one network of \(base.layout.family.title) is for all noise; remove it"
      )
    }
    configuration.textDropout.rates = given.textDropout.rates.filter {
      $0.value > 0 && pipeline.textParts.contains($0.key)
    }
    configuration.flow.rules = base.layout.family.flowRules(of: outline.variant)
    if outline.prediction == .velocity { configuration.loss.predictsVelocity = true }
    if outline.hasZeroTerminalSNR { configuration.hasZeroTerminalSNR = true }
    if outline.prepared != nil {
      (configuration.cache.place, configuration.textCaching) = (nil, .none)
    }
    if outline.isTransformer {
      // What the trainers of transformers call by names of their own.
      configuration.model.holdsInt8 = given.model.holdsInt8 || given.model.asksFP8
      if given.model.compute == .f32 {
        configuration.model.compute =
          given.model.transformerCompute ?? (isNarrow(base) ? .bf16 : .f32)
      }
    }
    configuration.network.flags.hasQuantizedBase = configuration.model.holdsInt8
    let (first, last) = (given.firstTimestep, given.lastTimestep)
    if first != nil || last != nil {
      if case .flow = outline.prediction {
        configuration.flow.range = try FlowSettings.range(from: first, to: last)
      } else {
        configuration.noise.timesteps = try NoiseSettings.timesteps(from: first, to: last)
      }
    }
    return (configuration, outline)
  }

  /// Whether a checkpoint has its weights in fewer bits than f32: those of a large model would take twice their file
  /// or more.
  static func isNarrow(_ base: BaseModel) -> Bool {
    [.bf16, .f16, .f8e4m3, .f8e5m2].contains(storedFormat(of: base))
  }

  /// The format of the largest weight of a checkpoint's denoiser.
  static func storedFormat(of base: BaseModel) -> DType? {
    base.file.tensors.filter { key, _ in base.layout.role(ofKey: key) == .denoiser }
      .values.max { $0.byteCount < $1.byteCount }?.dtype
  }
}
