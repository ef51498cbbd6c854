import Adapters
import Autograd
package import Checkpoints
package import Machine
import ModelFamilies
import OrderedCollections
package import Pipelines
import Safetensors
import Sampling
import SystemPackage
import Tensors

/// A run before anything is computed: what is trained on what, how long, and what that takes. Whatever is
/// wrong with the input is found here.
package struct TrainingPlan {
  package let configuration: TrainingConfiguration
  /// Those that share the run.
  package let ranks: any Communicator
  /// Of everything that is drawn.
  package let seed: UInt64
  /// The state that is resumed.
  let state: TrainingState?
  /// The checkpoint, and those adapters that are merged into it first.
  package let base: BaseModel
  let pipeline: any ModelPipeline.Type
  /// What the checkpoint holds.
  package let outline: PipelineOutline
  /// What is learned from; nil for what was done to latents.
  package let teacher: TeacherPlan?
  package let network: NetworkPlan
  /// The adapter to go on from.
  package let weights: AdapterFile?
  package let images: TrainingSet
  /// What text encoders make of captions, where it is kept in files.
  let textCache: TextCache?
  /// What is still to be made of it.
  let missingText: [TextCache.Missing]
  /// Bytes of what is kept of captions in memory before the denoiser is read; nil where text encoders are asked later.
  let captionBytes: Int?
  /// Pictures that are drawn on the way; nil for none.
  package let samples: SamplePlan?
  package let arithmetic: StepArithmetic
  /// That of the state where one is resumed.
  package let start: TrainingStart
  package let optimizer: OptimizerChoice
  package let schedule: RateSchedule
  package let estimate: StepEstimate
  /// Of the weights beside text encoders.
  let frozen: FrozenWeights
  /// What the user should know before it starts.
  package private(set) var notices: [String]

  /// - Parameters:
  ///   - given: the same on all ranks, with a seed and the batches of all ranks as its accumulation.
  ///   - pipelines: those that a checkpoint may be for.
  /// - Throws: whatever is wrong with checkpoint, network, images or settings.
  package init(
    _ given: TrainingConfiguration, among pipelines: [any ModelPipeline.Type] = ModelPipelines.all,
    over ranks: any Communicator = SingleProcess()
  ) throws {
    precondition(
      given.run.accumulation.isMultiple(of: ranks.count),
      "\(given.run.accumulation) batches of a step on \(ranks.count) ranks")
    self.ranks = ranks
    // What an interrupted run has begun to write is finished by one alone.
    if given.run.resumed != nil {
      if ranks.isFirst { try given.run.resumed.map { _ = try TrainingState(opening: $0) } }
      try ranks.agree()
    }
    state = try given.run.resumed.map { try TrainingState(opening: $0) }
    seed = given.run.seed ?? state?.progress.seed ?? UInt64(UInt32.random(in: 0...UInt32.max))
    optimizer = try OptimizerChoice(named: given.optimizer, arguments: given.optimizerArguments)
    let arguments = try NetworkArguments(parsing: given.network.arguments)
    (base, pipeline) = try ModelPipelines.open(
      given.model.base, as: given.model.family, supposed: given.model.supposed,
      parts: given.model.componentFiles, mayLackParts: given.textCaching == .disk,
      among: pipelines)
    (configuration, outline) = try Self.fitted(given, to: base, pipeline)
    teacher = try Self.teacher(configuration, outline, of: base, among: pipelines)
    let (modules, configuration) = (outline.modules, configuration)
    let settings = try NetworkSettings(
      configuration.network.flags, arguments, blockNumbers: base.layout.family.blocks?.numbers)
    var textNotices: [String] = []
    images = try Self.images(
      configuration, outline, of: base, pipeline, seed: seed, drawnBy: teacher, &textNotices)
    let images = images
    textCache = try Self.textCache(of: images, configuration, for: base, pipeline)
    missingText = try Self.missingText(
      in: textCache, configuration, outline, of: base, pipeline, &textNotices)
    if configuration.cache.place != nil, !images.isCacheable {
      throw TrainingError.uncacheable
    }
    if let clipSkip = configuration.model.clipSkip, let layers = outline.skippableTextLayers,
      clipSkip > layers
    {
      throw SettingError.value(
        option: "--clip_skip", expected: "1 to \(layers), the layers of the text encoder",
        found: "\(clipSkip)")
    }
    weights = try configuration.network.weights.map { try AdapterFile(opening: $0) }
    let layout = base.layout
    network = try NetworkPlan(
      modules: modules, family: layout.family, settings: settings,
      classes: layout.family.trainedClasses(of: outline.variant),
      stored: configuration.network.takesRanksFromWeights
        ? weights.map { StoredModules($0, in: layout) } : nil)
    let run = configuration.run
    arithmetic = StepArithmetic(
      batchesPerEpoch: images.summary.batchesPerEpoch, accumulation: run.accumulation,
      steps: run.steps, epochs: run.epochs)
    start =
      try state?.progress.start
      ?? TrainingStart(
        epoch: run.initialEpoch, step: run.initialStep, skips: run.skipsToInitialStep,
        of: arithmetic)
    schedule = try RateSchedule(
      configuration.schedule, total: arithmetic.steps, rate: configuration.rates.common,
      schedulesItself: optimizer.optimizer.schedulesItself)
    captionBytes =
      textCache == nil ? Self.captionBytes(configuration, outline, network, images) : 0
    frozen = FrozenWeights(
      outline.modules.filter { $0.role != .text }, outline,
      in: [base] + (outline.highNoise.map { [$0] } ?? []),
      bytes: configuration.model.bytes, ofTeacher: teacher?.bytes ?? 0)
    let blockCount = outline.blocks.count
    guard blockCount == 0 || configuration.model.streamedBlocks <= blockCount else {
      throw SettingError.value(
        option: "--blocks_to_swap", expected: "0 to \(blockCount), the blocks of the model",
        found: "\(configuration.model.streamedBlocks)")
    }
    var sampleNotices: [String] = []
    samples = try SamplePlan(
      configuration, outline, of: base, pipeline, seed: seed, &sampleNotices)
    if samples != nil, textCache != nil, let absent = configuration.model.absentFiles.first {
      throw ModelLoadingError.absentPart(
        absent.value, option: absent.key, use: "for the prompts of sample pictures")
    }
    estimate = Self.estimate(
      configuration, outline, network, images, frozen, samples,
      encodesText: outline.prepared == nil
        && (textCache == nil || !missingText.isEmpty || samples != nil),
      captionBytes: captionBytes, rankCount: ranks.count)
    // The checks ask a plan that is whole.
    notices = []
    notices =
      images.notices + textNotices + network.notices + optimizer.notices + notices(on: given)
      + sampleNotices
    try checkStart()
  }

  private static func images(
    _ configuration: TrainingConfiguration, _ outline: PipelineOutline, of base: BaseModel,
    _ pipeline: any ModelPipeline.Type, seed: UInt64, drawnBy teacher: TeacherPlan?,
    _ notices: inout [String]
  ) throws -> TrainingSet {
    if let teacher, let settings = configuration.teacher, configuration.isWithoutData {
      return try TrainingSet(
        drawing: drawnRequests(
          settings, configuration, outline, of: base, pipeline, seed: seed, &notices),
        by: teacher.model.file.path, configuration.images, latents: outline.latents, seed: seed)
    }
    let datasets = try DatasetConfiguration(
      configuration.images, latents: outline.latents, prepared: outline.prepared?.layout)
    guard let prepared = outline.prepared else { return try TrainingSet(datasets, seed: seed) }
    return try TrainingSet(datasets, seed: seed, prepared: prepared, latents: outline.latents)
  }

  /// The last step of the state that is gone on from; nil for a run that begins.
  package var resumedStep: Int? { state?.progress.step }

  /// Whether text encoders have done all that they are for before the denoiser is read.
  var encodesTextFirst: Bool { captionBytes != nil }

  /// What is minimized.
  var objective: any Objective {
    if case .flow(let offset) = outline.prediction {
      return FlowObjective(
        settings: configuration.flow, loss: configuration.loss, offset: offset,
        sampleCount: images.examples.reduce(0) { $0 + $1.repeats })
    }
    return DiscreteObjective(
      schedule: NoiseSchedule(zeroTerminal: configuration.hasZeroTerminalSNR),
      noise: configuration.noise, settings: configuration.loss)
  }

  /// The learning rates of groups by their names.
  var rates: [String: Double] {
    let groups = network.rateGroups(
      unet: configuration.rates.unetRate, textEncoders: configuration.rates.textEncoderRates)
    return Dictionary(groups.map { ($0.name, $0.rate) }, uniquingKeysWith: { $1 })
  }

  /// Components with a learning rate.
  var trainedComponents: Set<String> {
    let groups = network.rateGroups(
      unet: configuration.rates.unetRate, textEncoders: configuration.rates.textEncoderRates)
    return Set(groups.flatMap(\.modules).map { network.modules[$0].module.component })
  }
}
