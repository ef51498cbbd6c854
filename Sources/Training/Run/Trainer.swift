import Autograd
import Checkpoints
import LinearAlgebra
import Machine
import ModelFamilies
package import Pipelines
import Safetensors
import SystemPackage
import Tensors

/// Trains an adapter: steps, and between them whatever a run saves, measures and records.
///
/// Everything runs on the thread that calls it; images are read ahead on others. What is computed depends
/// on the plan alone, not on threads, interruptions or what was measured on the way.
package final class Trainer<Pipeline: ModelPipeline> {
  package let plan: TrainingPlan
  let network: AdapterNetwork
  let groups: [ParameterGroup]
  let sums: StepGradients
  let captions: KnownCaptions
  let pipeline: Pipeline
  /// What is learned from; nil for what was done to latents.
  let teacher: Teacher<Pipeline>?
  let objective: any Objective
  let cache: LatentCache?
  /// nil where latents are kept, so that its weights need not be.
  let encoder: (any LatentEncoder)?
  var optimizer: any Optimizer
  var average: ParameterAverage?
  var progress: TrainingProgress
  /// The last time that images were judged that are held out.
  var lastValidation: (step: Int, loss: Double)?
  let record: TrainingRecord
  let files: TrainingFiles
  /// Of frozen weights, where ranks of one machine share them; it lives longer than they do.
  private let sharedWeights: [SharedMemory]
  /// Held as long as the run: folders that nothing came into go with it.
  private let outputs: TrainingOutputs?
  let observer: TrainingObserver
  /// Saves the state when the run is interrupted; nil for one process, which does that itself.
  let stop: EarlyStop?

  /// Loads the model, encodes images that are to be kept, attaches the network, and restores a state.
  /// - Parameters:
  ///   - outputs: the places that are written to, where they were made sure of before.
  ///   - stop: of the first of several ranks.
  /// - Throws: whatever is wrong with the checkpoint's weights, with images or with the state.
  package init(
    _ plan: TrainingPlan, observer: TrainingObserver, outputs: TrainingOutputs? = nil,
    stop: EarlyStop? = nil
  ) throws {
    let configuration = plan.configuration
    self.stop = stop
    ComputeThreads.set(plan.threads)
    self.plan = plan
    self.observer = observer
    files = TrainingFiles(plan)
    self.outputs =
      plan.ranks.isFirst
      ? try outputs
        ?? TrainingOutputs(configuration.output, drawsSamples: configuration.samples.isAsked)
      : nil
    try Self.checkItems(plan, observer)
    observer.begin(.loading)
    // Images first: what the encoder takes is free again when the other weights come.
    let comesEncoded = plan.outline.prepared != nil || plan.images.isDrawn
    var encoder = comesEncoded ? nil : try Pipeline.encoder(of: plan.base, configuration.model)
    var cache = plan.images.isDrawn ? nil : try Self.cache(plan, encoder, observer)
    if cache != nil { encoder = nil }
    self.encoder = encoder
    var shared: [SharedMemory] = []
    (captions, pipeline, teacher) = try Self.unlessInterrupted {
      let captions = try Self.captions(plan, Pipeline.self, &shared, observer)
      let pipeline = try Self.sharing(plan, &shared) {
        try Pipeline(
          plan.base, configuration.model, checkpointsBlocks: configuration.run.checkpointsBlocks)
      }
      let teacher = try Self.teacher(plan, pipeline, captions, &shared, observer)
      if plan.images.isDrawn, let teacher {
        cache = try Self.drawnLatents(plan, teacher, captions, observer)
      }
      return (captions, pipeline, teacher)
    }
    self.cache = cache
    sharedWeights = shared
    network = try AdapterNetwork(
      plan.network, layers: pipeline.layers + captions.layers, seed: plan.seed)
    if let weights = plan.weights {
      for notice in try network.load(weights, layout: plan.base.layout) { observer.note(notice) }
    }
    groups = network.parameterGroups(
      unetRate: configuration.rates.unetRate,
      textEncoderRates: configuration.rates.textEncoderRates)
    sums = StepGradients(of: groups, over: plan.ranks)
    optimizer = plan.optimizer.optimizer
    average = configuration.run.averageDecay.map { ParameterAverage(decay: $0) }
    objective = plan.objective
    if !plan.encodesTextFirst {
      captions.train(plan.trainedComponents)
      try Self.settle(captions, for: plan.images.fixedCaptions, plan, observer)
    }
    progress = TrainingProgress(
      start: plan.start, accumulation: configuration.run.accumulation, seed: plan.seed,
      optimizer: plan.optimizer.className, settings: plan.resumedSettings)
    if let state = plan.state, let folder = configuration.run.resumed {
      try state.restore(groups, &optimizer, &average, from: folder)
      progress = state.progress
      // One of an earlier release does not have all of them.
      progress.settings = plan.resumedSettings
    }
    progress.rates = plan.rates
    progress.objective = plan.objectiveSettings
    progress.model = plan.trainedModel
    // Last: it changes the table of the run before.
    record = try TrainingRecord(
      plan.output, groups: groups.map(\.name), after: plan.state?.progress.step)
  }

  /// Looks at the numbers of items that come encoded, unless they are to be trusted.
  private static func checkItems(_ plan: TrainingPlan, _ observer: TrainingObserver) throws {
    guard !plan.configuration.cache.isTrusted else { return }
    try unlessInterrupted {
      try plan.images.checkNumbers(over: plan.ranks) { done, total in
        observer.progress(.readingItems, done, total)
        return !Task.isCancelled
      }
    }
  }

  /// Reads a model whose frozen weights lie in memory that the ranks of a machine share.
  /// - Parameter memory: what they lie in is added.
  static func sharing<Model>(
    _ plan: TrainingPlan, _ memory: inout [SharedMemory], _ read: () throws -> Model
  ) throws -> Model {
    guard plan.ranks.count > 1 else { return try read() }
    // More than enough, for kernels are there twice until they are used: what is not written takes nothing.
    guard let shared = try SharedMemory.joined(2 * plan.estimate.frozen + 1 << 30, over: plan.ranks)
    else {
      let model = try read()
      try plan.ranks.agree()
      return model
    }
    memory.append(shared)
    let (model, _) = try unsafe SharedWeights.place(
      in: shared.start, shared.size, isWriter: shared.isWriter, read)
    // Nothing is used before all of it is there.
    try plan.ranks.agree()
    return model
  }

  /// What comes before the first step, of which there is no state.
  /// - Throws: `TrainingError.interrupted` in the place of `CancellationError`.
  private static func unlessInterrupted<Result>(_ work: () throws -> Result) throws -> Result {
    do {
      return try work()
    } catch is CancellationError {
      throw TrainingError.interrupted(state: nil)
    }
  }

  private static func cache(
    _ plan: TrainingPlan, _ encoder: (any LatentEncoder)?, _ observer: TrainingObserver
  ) throws -> LatentCache? {
    guard let place = plan.configuration.cache.place else { return nil }
    var settings = LatentCacheSettings(
      place, plan.outline.latents, vae: encoder?.identity, seed: plan.seed)
    settings.batchSize = plan.configuration.cache.batchSize
    settings.trustsDisk = plan.configuration.cache.isTrusted
    do {
      return try LatentCache(
        preparing: plan.images, settings, with: encoder, over: plan.ranks,
        progress: { progress in
          observer.progress(.encodingImages, progress.done, progress.total)
          return !Task.isCancelled
        }, note: observer.note)
    } catch is CancellationError where place != .memory {
      // Files that are made are kept, so it is not as if nothing had been written.
      throw TrainingError.interrupted(state: nil)
    }
  }
}

extension TrainingPlan {
  /// Trains to the end, see `Trainer.run`.
  package func train(
    observer: TrainingObserver, outputs: TrainingOutputs? = nil, stop: EarlyStop? = nil
  ) throws -> TrainingReport {
    func run<Pipeline: ModelPipeline>(_ pipeline: Pipeline.Type) throws -> TrainingReport {
      try Trainer<Pipeline>(self, observer: observer, outputs: outputs, stop: stop).run()
    }
    return try run(pipeline)
  }
}
