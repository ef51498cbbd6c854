import Adapters
import Autograd
package import Checkpoints
import LinearAlgebra
import ModelFamilies
import Pipelines
import Safetensors
import Sampling
import SystemPackage
import Tensors

extension CalibrationPlan {
  /// Runs the model and sums up what its layers read.
  /// - Parameters:
  ///   - names: of the layers that are wanted, any that statistics may know them by.
  ///   - progress: told of forward passes that are done, and of all.
  /// - Throws: what reading weights and pictures throws, `CancellationError`.
  package func gather(
    _ names: Set<String>, progress: @escaping (Int, Int) -> Void
  ) throws -> InputStatistics {
    func run<Pipeline: ModelPipeline>(_ pipeline: Pipeline.Type) throws -> InputStatistics {
      // What is summed up is as deep as it is wide: there BLAS has use for more than one thread.
      ComputeThreads.set(threads)
      BLASThreads.set(threads)
      defer { BLASThreads.set(1) }
      return try Calibration<Pipeline>(self, names, progress).run()
    }
    return try run(pipeline)
  }
}

/// A model that runs on what a plan says, with its layers watched.
private final class Calibration<Pipeline: ModelPipeline> {
  private let plan: CalibrationPlan
  private let collector: InputCollector
  private let wanted: Set<String>
  /// What a module may be called, by its component and path: as in an adapter, or by its key.
  private let names: [String: [String]]
  private let progress: (Int, Int) -> Void
  private var done = 0

  init(_ plan: CalibrationPlan, _ wanted: Set<String>, _ progress: @escaping (Int, Int) -> Void) {
    self.plan = plan
    self.wanted = wanted
    self.progress = progress
    collector = InputCollector(
      samples: plan.settings.samples, seed: plan.settings.seed,
      takesGradients: plan.settings.takesGradients,
      in: MomentMemory(bound: plan.settings.momentBytes, spillingTo: plan.settings.scratchFolder))
    names = Dictionary(
      plan.base.layout.modules.map { ("\($0.component)/\($0.path)", $0.statisticsNames) },
      uniquingKeysWith: { $1 })
  }

  func run() throws -> InputStatistics {
    try Recording.pause {
      let captions = try captions()
      switch plan.input {
      case .items(let images): try run(on: images, captions)
      case .drawn(let requests): try run(on: requests, captions)
      }
    }
    return InputStatistics(
      collector.moments(), of: plan.base.file.path,
      metadata: [
        "samples": "\(done)", "seed": "\(plan.settings.seed)",
        "model": plan.base.file.path.lastComponent?.string ?? "",
        "family": plan.base.layout.family.name,
      ])
  }

  private func watch(_ layers: [Layer]) {
    for layer in layers {
      guard let name = name(of: layer) else { continue }
      switch layer.operation {
      case .linear, .convolution: collector.attach(to: layer, as: name)
      case .groupNorm, .layerNorm, .rmsNorm: break
      }
    }
  }

  /// The text encoders, all texts read; those of which gradients are asked for read them again with every sample.
  private func captions() throws -> KnownCaptions {
    let encoders =
      plan.outline.prepared == nil
      ? try Pipeline.captionEncoders(of: plan.base, plan.settings.model, checkpointsBlocks: false)
      : []
    let captions = KnownCaptions(encoders)
    if plan.settings.takesGradients {
      captions.train(Set(captions.layers.filter { name(of: $0) != nil }.map(\.component)))
    }
    switch plan.input {
    case .items(let images):
      watch(captions.layers)
      if let all = images.fixedCaptions {
        try captions.settle(for: all) { _, _ in
          collector.endPass()
          return !Task.isCancelled
        }
      }
    case .drawn(let requests):
      if !plan.settings.takesGradients { watch(captions.layers) }
      captions.remember(prompts: EncodedPrompts.batches(of: requests))
      if plan.settings.takesGradients {
        for request in requests { _ = captions.encoded([request.prompt]) }
      }
      try captions.settle(for: []) { _, _ in true }
      collector.endPass()
    }
    try collector.checkRoom()
    try Task.checkCancellation()
    return captions
  }

  /// As it is wanted; nil where it is not.
  private func name(of layer: Layer) -> String? {
    names["\(layer.component)/\(layer.path)"]?.first { wanted.contains($0) }
  }

  private func denoiser() throws -> Pipeline {
    try Pipeline(plan.base, plan.settings.model, checkpointsBlocks: false)
  }

  /// One pass of the denoiser, and back where gradients are asked for.
  private func pass(
    _ pipeline: Pipeline, _ problem: Problem, _ condition: () -> Pipeline.Condition
  ) throws {
    let input = Variable(problem.input)
    if plan.settings.takesGradients {
      Recording().record {
        let prediction = pipeline.predict(input, at: problem.times, condition())
        var generator = SeededGenerator(seed: plan.settings.seed &+ UInt64(done))
        var factors = Tensor(normal: prediction.shape, using: &generator)
        factors.scaleRows(
          by: problem.times.map {
            Float(plan.prediction.cleanError(at: $0, plan.schedule).squareRoot())
          })
        prediction.backpropagate(factors)
      }
    } else {
      _ = pipeline.predict(input, at: problem.times, condition())
    }
    try finish(problem.times.count)
  }

  /// Behind a forward pass of so many samples.
  private func finish(_ count: Int) throws {
    collector.endPass()
    try collector.checkRoom()
    done += count
    progress(min(done, plan.settings.samples), plan.settings.samples)
    try Task.checkCancellation()
  }

  // MARK: Pictures and items

  private func run(on images: TrainingSet, _ captions: KnownCaptions) throws {
    // Kept latents spare the encoder.
    let cache = try plan.cache(of: images)
    let encoder =
      plan.outline.prepared == nil && cache == nil
      ? try Pipeline.encoder(of: plan.base, plan.settings.model) : nil
    guard plan.outline.prepared != nil || cache != nil || encoder != nil else {
      throw TrainingError.missingVAE(plan.base.file.path)
    }
    let pipeline = try denoiser()
    watch(pipeline.layers)
    let (samples, layout) = (plan.settings.samples, plan.outline.latents)
    let objective = plan.objective(
      sampleCount: images.examples.reduce(0) { $0 + $1.repeats })
    var epoch = 0
    while done < samples {
      let batches = images.batches(epoch: epoch, seed: plan.settings.seed).prefix(samples - done)
      let loader = BatchLoader(
        Array(batches), of: images, cache: cache,
        .init(seed: plan.settings.seed, epoch: epoch, stride: layout.stride))
      defer { loader.cancel() }
      while let batch = try loader.next(), done < samples {
        let latents: Tensor
        switch batch.content {
        case .latents(let kept):
          latents = cache?.holdsScaled ?? false ? kept : layout.scaled(kept)
        case .pixels(let pixels):
          guard let encoder else { preconditionFailure("an encoder where nothing is kept") }
          latents = layout.scaled(batch.sampled(try encoder.encode(pixels)))
        }
        let randomness = batch.samples.map {
          SampleRandomness(seed: plan.settings.seed, epoch: epoch, sample: $0)
        }
        let problem = objective.problem(latents, at: times(batch.samples.count), randomness)
        try pass(pipeline, problem) {
          batch.kept.map { pipeline.condition(kept: $0, batch.sizes) }
            ?? pipeline.condition(captions.encoded(batch.captions), batch.sizes)
        }
      }
      epoch += 1
    }
  }

  /// Evenly over all timesteps; nil for a flow, whose family says how they lie.
  private func times(_ count: Int) -> [Float]? {
    if case .flow = plan.prediction { return nil }
    return (done..<done + count).map {
      let share = ((Double($0) + 0.5) * .goldenRatio).truncatingRemainder(dividingBy: 1)
      return Float(Int(share * Double(NoiseSchedule.timestepCount)))
    }
  }

  // MARK: Nothing but noise and prompts

  private func run(on requests: [PictureRequest], _ captions: KnownCaptions) throws {
    let prompts = try EncodedPrompts(requests, encode: captions.encoded(prompts:))
    let pipeline = try denoiser()
    let sampler = LatentSampler(
      pipeline, plan.outline.latents, plan.prediction, plan.schedule)
    guard plan.settings.takesGradients else {
      watch(pipeline.layers)
      for request in requests {
        _ = try sampler.draw(request, prompts) { _, _ in try finish(request.isGuided ? 2 : 1) }
      }
      return
    }
    // What is drawn takes the place of pictures.
    let drawn = try requests.map { request in
      try sampler.draw(request, prompts) { _, _ in try Task.checkCancellation() }
    }
    watch(captions.layers + pipeline.layers)
    let objective = plan.objective(sampleCount: requests.count)
    while done < plan.settings.samples {
      let (request, latents) = (requests[done % requests.count], drawn[done % requests.count])
      let size = PictureSize(
        originalHeight: request.height, originalWidth: request.width, height: request.height,
        width: request.width)
      let randomness = SampleRandomness(seed: plan.settings.seed, epoch: 0, sample: done)
      let problem = objective.problem(latents, at: times(1), [randomness])
      try pass(pipeline, problem) {
        let condition = pipeline.condition(captions.encoded([request.prompt]), [size])
        return request.guidance.map { pipeline.telling(Float($0), in: condition) } ?? condition
      }
    }
  }
}

extension CalibrationPlan {
  /// What noise is added and when; nothing is minimized.
  fileprivate func objective(sampleCount: Int) -> any Objective {
    guard case .flow(let offset) = prediction else {
      return DiscreteObjective(
        schedule: schedule, noise: NoiseSettings(), settings: LossSettings())
    }
    var flow = FlowSettings()
    flow.rules = base.layout.family.flowRules(of: outline.variant)
    return FlowObjective(
      settings: flow, loss: LossSettings(), offset: offset,
      sampleCount: sampleCount)
  }

  /// Latents that kohya's scripts kept beside all of the pictures; nil where any are missing.
  fileprivate func cache(of images: TrainingSet) throws -> LatentCache? {
    guard outline.prepared == nil else { return nil }
    let formats = LatentCacheSettings.Format.allCases.filter { format in
      images.places.allSatisfy {
        FileListing.exists(LatentFile(of: images[$0], format, of: outline.latents).path)
      }
    }
    guard let format = formats.first else { return nil }
    var cache = LatentCacheSettings(
      .disk(format), outline.latents, vae: nil, seed: settings.seed)
    cache.trustsDisk = true
    return try LatentCache(preparing: images, cache, with: nil)
  }
}
