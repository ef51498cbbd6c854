import Adapters
import Autograd
package import Checkpoints
import FoundationEssentials
import Machine
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
  /// Of everything that is drawn.
  package let seed: UInt64
  /// The state that is resumed.
  let state: TrainingState?
  /// The checkpoint, and those adapters that are merged into it first.
  package let base: BaseModel
  let pipeline: any ModelPipeline.Type
  /// What the checkpoint holds.
  package let outline: PipelineOutline
  package let network: NetworkPlan
  /// The adapter to go on from.
  package let weights: AdapterFile?
  package let images: TrainingSet
  /// What text encoders make of captions, where it is kept in files.
  let textCache: TextCache?
  /// What is still to be made of it.
  let missingText: [TextCache.Missing]
  /// Bytes of what is kept of captions in memory before the denoiser is read; nil where text encoders are asked later.
  private let captionBytes: Int?
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

  /// - Parameter pipelines: those that a checkpoint may be for.
  /// - Throws: whatever is wrong with checkpoint, network, images or settings.
  package init(
    _ given: TrainingConfiguration, among pipelines: [any ModelPipeline.Type] = ModelPipelines.all
  ) throws {
    state = try given.run.resumed.map { try TrainingState(opening: $0) }
    seed = given.run.seed ?? state?.progress.seed ?? UInt64(UInt32.random(in: 0...UInt32.max))
    optimizer = try OptimizerChoice(named: given.optimizer, arguments: given.optimizerArguments)
    let arguments = try NetworkArguments(parsing: given.network.arguments)
    (base, pipeline) = try ModelPipelines.open(
      given.model.base, as: given.model.family, supposed: given.model.supposed,
      among: pipelines)
    let settings = try NetworkSettings(
      given.network.flags, arguments, blockNumbers: base.layout.family.blocks?.numbers)
    (configuration, outline) = try Self.fitted(given, to: base, pipeline)
    let (modules, configuration) = (outline.modules, configuration)
    images = try Self.images(configuration, outline, seed: seed)
    let images = images
    textCache =
      try configuration.textCaching == .disk
      ? pipeline.textLayout(of: base, configuration.model).map {
        TextCache(of: images, $0, trustsDisk: configuration.cache.isTrusted)
      } : nil
    var damage: [String] = []
    missingText = try textCache?.missing { damage.append($0) } ?? []
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
      outline.modules.filter { $0.role != .text }, outline, in: base,
      networks: configuration.model.highNoise == nil ? 1 : 2,
      bytes: { [model = configuration.model] in Self.bytes(of: $0, model) })
    let blockCount = outline.blocks.count
    guard blockCount == 0 || configuration.model.streamedBlocks <= blockCount else {
      throw SettingError.value(
        option: "--blocks_to_swap", expected: "0 to \(blockCount), the blocks of the model",
        found: "\(configuration.model.streamedBlocks)")
    }
    var sampleNotices: [String] = []
    samples = try SamplePlan(
      configuration, outline, of: base, pipeline, seed: seed, &sampleNotices)
    estimate = Self.estimate(
      configuration, outline, network, images, frozen, samples,
      encodesText: outline.prepared == nil
        && (textCache == nil || !missingText.isEmpty || samples != nil),
      captionBytes: captionBytes)
    // The checks ask a plan that is whole.
    notices = []
    notices =
      images.notices + damage + network.notices + optimizer.notices + notices(on: given)
      + sampleNotices
    try checkStart()
  }

  private static func images(
    _ configuration: TrainingConfiguration, _ outline: PipelineOutline, seed: UInt64
  ) throws -> TrainingSet {
    let datasets = try DatasetConfiguration(
      configuration.images, latents: outline.latents, prepared: outline.prepared?.layout)
    guard let prepared = outline.prepared else { return try TrainingSet(datasets, seed: seed) }
    return try TrainingSet(datasets, seed: seed, prepared: prepared, latents: outline.latents)
  }

  /// The settings as far as they are of a checkpoint's family, with what the checkpoint says of itself; and what it
  /// holds.
  private static func fitted(
    _ given: TrainingConfiguration, to base: BaseModel, _ pipeline: any ModelPipeline.Type
  ) throws -> (TrainingConfiguration, PipelineOutline) {
    var configuration = given
    let encoders = base.layout.family.textEncoders.count
    configuration.rates.textEncoders = Array(given.rates.textEncoders.prefix(max(encoders, 1)))
    if !pipeline.keepsText { configuration.textCaching = .none }
    var model = given.model
    // Text encoders are asked for where something is missing.
    model.textIsKept = configuration.textCaching == .disk
    let outline = try pipeline.outline(of: base, model)
    if given.model.highNoise != nil, !outline.takesHighNoise {
      throw SettingError.combination(
        "'--dit_high_noise': one network of \(base.layout.family.title) is for all noise; remove it"
      )
    }
    if outline.prepared != nil {
      (configuration.cache.place, configuration.textCaching) = (nil, .none)
    }
    if outline.prediction == .velocity { configuration.loss.predictsVelocity = true }
    if outline.hasZeroTerminalSNR { configuration.hasZeroTerminalSNR = true }
    if given.model.highNoise != nil, !outline.takesHighNoise {
      throw SettingError.combination(
        "'--dit_high_noise': one network of \(base.layout.family.title) is for all noise; remove it"
      )
    }
    if outline.prepared != nil {
      // What the trainers of transformers call by names of their own.
      configuration.model.holdsInt8 = given.model.holdsInt8 || given.model.asksFP8
      if given.model.compute == .f32 {
        // Those of a large model would take twice their file.
        let stored = base.file.tensors.values.max { $0.byteCount < $1.byteCount }?.dtype
        let isNarrow = [.bf16, .f8e4m3, .f8e5m2].contains(stored)
        configuration.model.compute =
          given.model.transformerCompute ?? (isNarrow ? .bf16 : .f32)
      }
    }
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

  /// Whether text encoders have done all that they are for before the denoiser is read.
  var encodesTextFirst: Bool { captionBytes != nil }

  /// nil where text encoders are adapted, where captions are not known, or where they are too many.
  private static func captionBytes(
    _ configuration: TrainingConfiguration, _ outline: PipelineOutline, _ network: NetworkPlan,
    _ images: TrainingSet
  ) -> Int? {
    guard network.textEncoderCount == 0, let captions = images.fixedCaptions else { return nil }
    let bytes = captions.count * outline.captionBytes
    let fits = configuration.textCaching == .memory || bytes <= KnownCaptions.commonBytes
    return fits ? bytes : nil
  }

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

  /// Threads of the computation: those that were asked for, else all cores, but one for a small model, whose
  /// threads would spend their time waiting for each other. Results do not depend on it.
  var threads: Int {
    configuration.run.threads
      ?? (estimate.operations < 2e10 ? 1 : ProcessInfo.processInfo.activeProcessorCount)
  }

  /// How many of the model's blocks are not kept in memory, and how many there are.
  package var blocks: (streamed: Int, all: Int) {
    (configuration.model.streamedBlocks, outline.blocks.count)
  }

  /// Multiplications and additions per second of this processor, measured.
  package var speed: Double {
    ComputeThreads.set(threads)
    return ComputeSpeed.measured(configuration.model.compute)
  }

  /// - Throws: `TrainingError.memory` for a run that cannot fit.
  package func checkMemory() throws {
    guard let available = AvailableMemory.bytes, estimate.bytes > available else { return }
    let networks = configuration.model.networkCount
    let others =
      estimate.frozen + estimate.trained + estimate.kept
      - networks * frozen.kept(streaming: blocks.streamed)
    let fitting =
      blocks.all == 0 || estimate.loaded > available
      ? nil
      : (0...blocks.all).first { networks * frozen.kept(streaming: $0) + others <= available }
    throw TrainingError.memory(
      needed: estimate.bytes, available: available, fittingBlocks: fitting,
      checkpointsBlocks: configuration.run.checkpointsBlocks,
      isNarrow: configuration.model.compute == .bf16)
  }
}
