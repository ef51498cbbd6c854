import Autograd
import Checkpoints
import DiffusionModels
import LinearAlgebra
import Safetensors
import SystemPackage
import Tensors

/// Trains an adapter: steps, and between them whatever a run saves, measures and records.
///
/// Everything runs on the thread that calls it; images are read ahead on others. What is computed depends
/// on the plan alone, not on threads, interruptions or what was measured on the way.
package final class Trainer {
  package let plan: TrainingPlan
  let network: AdapterNetwork
  let groups: [ParameterGroup]
  let objective: DiffusionObjective
  let text: TextConditioning
  let cache: LatentCache?
  /// nil where latents are kept, so that its weights need not be.
  let vae: VAEEncoder?
  /// Pixels of an image for each latent, along each side.
  let latentStride: Int
  var optimizer: any Optimizer
  var average: ParameterAverage?
  var progress: TrainingProgress
  /// The last time that images were judged that are held out.
  var lastValidation: (step: Int, loss: Double)?
  let record: TrainingRecord
  let files: TrainingFiles
  private let outputs: TrainingOutputs
  let observer: TrainingObserver

  /// Latents are brought to about unit variance by this: 0.18215, unless the VAE's configuration knows better.
  let latentScale: Float

  /// Loads the model, encodes images that are to be kept, attaches the network, and restores a state.
  /// - Throws: whatever is wrong with the checkpoint's weights, with images or with the state.
  package init(_ plan: TrainingPlan, observer: TrainingObserver) throws {
    let configuration = plan.configuration
    ComputeThreads.set(plan.threads)
    self.plan = plan
    self.observer = observer
    files = TrainingFiles(plan)
    outputs = try TrainingOutputs(configuration.output)
    observer.begin(.loading)
    // Images first: what the VAE takes is free again when the other weights come.
    var encoder = try StableDiffusionModel.encoder(
      of: plan.base, vae: configuration.model.vae)
    guard let reduction = encoder?.reduction, let scale = encoder?.configuration.scale else {
      throw TrainingError.missingVAE(plan.base.file.path)
    }
    (latentStride, latentScale) = (reduction, scale)
    cache = try encoder.flatMap { try Self.cache(plan, $0, observer) }
    if cache != nil { encoder = nil }
    vae = encoder
    let model = try StableDiffusionModel(
      plan.base, compute: configuration.model.compute,
      storage: configuration.model.holdsInt8 ? .int8 : .compute,
      merging: configuration.model.merged, loadsVAE: false)
    try model.checkVocabulary()
    model.unet.checkpointsBlocks = configuration.run.checkpointsBlocks
    model.textEncoder.checkpointsBlocks = configuration.run.checkpointsBlocks
    network = try AdapterNetwork(
      plan.network, layers: model.layers, seed: plan.seed)
    if let weights = plan.weights {
      for notice in try network.load(weights, layout: plan.base.layout) { observer.note(notice) }
    }
    groups = network.parameterGroups(
      unetRate: configuration.rates.unetRate,
      textEncoderRates: [configuration.rates.textEncoderRate])
    optimizer = plan.optimizer.optimizer
    average = configuration.run.averageDecay.map { ParameterAverage(decay: $0) }
    text = TextConditioning(
      tokenizer: model.tokenizer, encoder: model.textEncoder,
      clipSkip: configuration.model.clipSkip ?? 1,
      maxTokenLength: configuration.model.maxTokenLength,
      readsWeights: configuration.model.weighsCaptions,
      isTrained: groups.contains { $0.name.hasPrefix("textencoder") })
    objective = DiffusionObjective(
      unet: model.unet, schedule: NoiseSchedule(zeroTerminal: configuration.hasZeroTerminalSNR),
      noise: configuration.noise, settings: configuration.loss)
    if let captions = plan.images.fixedCaptions { text.settle(for: captions) }
    record = try TrainingRecord(configuration.output, groups: groups.map(\.name))
    progress = TrainingProgress(
      start: plan.start, accumulation: configuration.run.accumulation, seed: plan.seed,
      optimizer: plan.optimizer.className, settings: plan.resumedSettings)
    if let state = plan.state, let folder = configuration.run.resumed {
      try state.restore(groups, &optimizer, &average, from: folder)
      progress = state.progress
    }
  }

  private static func cache(
    _ plan: TrainingPlan, _ vae: VAEEncoder, _ observer: TrainingObserver
  ) throws -> LatentCache? {
    guard let place = plan.configuration.cache.place else { return nil }
    var settings = LatentCacheSettings(
      place, vae: vae.identity, seed: plan.seed)
    settings.stride = vae.reduction
    settings.batchSize = plan.configuration.cache.batchSize
    settings.trustsDisk = plan.configuration.cache.isTrusted
    do {
      return try LatentCache(
        preparing: plan.images, settings, with: vae,
        progress: { progress in
          observer.progress(.caching, progress.done, progress.total)
          return !Task.isCancelled
        }, note: observer.note)
    } catch is CancellationError where place != .memory {
      // Files that are made are kept, so it is not as if nothing had been written.
      throw TrainingError.interrupted(state: nil)
    }
  }
}
