import LinearAlgebra
import Machine
import ModelFamilies
import Pipelines
import Sampling
import Tensors

extension Trainer {
  /// Reads the model that an adapter learns from. What its weights have in common with the base is in memory once.
  /// - Parameters:
  ///   - base: the base, to which no adapter is attached yet.
  ///   - captions: of the base.
  ///   - memory: what frozen weights lie in that ranks share is added.
  /// - Throws: what reading throws.
  static func teacher(
    _ plan: TrainingPlan, _ base: Pipeline, _ captions: KnownCaptions,
    _ memory: inout [SharedMemory], _ observer: TrainingObserver
  ) throws -> Teacher<Pipeline>? {
    guard let teacher = plan.teacher else { return nil }
    let checkpoints = plan.configuration.run.checkpointsBlocks
    var own: KnownCaptions?
    if plan.teacherHasOwnCaptions {
      // Where it has no text encoders, those of the base are its own, without an adapter.
      let (model, settings) =
        teacher.settings.textIsKept
        ? (plan.base, plan.configuration.textModel(plan.network))
        : (teacher.model, plan.configuration.textModel(plan.network, of: teacher.settings))
      let read = KnownCaptions(
        try teacher.equal.lending(captions.layers) {
          try Pipeline.captionEncoders(of: model, settings, checkpointsBlocks: false)
        })
      read.remember(prompts: EncodedPrompts.batches(of: plan.images.requests))
      // Every rank for itself: of few it is known that all captions fit.
      if let all = plan.images.fixedCaptions {
        try read.settle(for: all) { done, total in
          observer.progress(.encodingCaptions, done, total)
          return !Task.isCancelled
        }
      }
      own = read
    }
    let pipeline = try sharing(plan, &memory) {
      try teacher.equal.lending(base.layers) {
        try Pipeline(teacher.model, teacher.settings, checkpointsBlocks: checkpoints)
      }
    }
    return Teacher(pipeline, own)
  }

  /// What is to be found in noisy latents of a batch: what was done to them, or what the teacher finds.
  func posed(_ problem: Problem, _ batch: TrainingBatch) -> Problem {
    guard let teacher else { return problem }
    return teacher.posed(
      problem, condition(of: batch, for: teacher.pipeline, teacher.captions ?? captions))
  }

  /// Latents that the teacher draws, every rank its share of them.
  /// - Parameter captions: of the base.
  /// - Throws: `SamplingError`, `CancellationError`
  static func drawnLatents(
    _ plan: TrainingPlan, _ teacher: Teacher<Pipeline>, _ captions: KnownCaptions,
    _ observer: TrainingObserver
  ) throws -> LatentCache {
    let (images, ranks) = (plan.images, plan.ranks)
    let requests = images.requests
    let prediction = plan.configuration.prediction(of: plan.outline)
    let prompts = try EncodedPrompts(
      requests, encode: (teacher.captions ?? captions).encoded(prompts:))
    let sampler = LatentSampler(
      teacher.pipeline, plan.outline.latents, prediction,
      NoiseSchedule(
        zeroTerminal: plan.configuration.hasZeroTerminalSNR && prediction == .velocity))
    let own = requests.indices.filter(ranks.isOwn)
    var latents: [Int: Tensor] = [:]
    for (count, index) in own.enumerated() {
      latents[index] = try sampler.draw(requests[index], prompts) { _, _ in
        // What a rank leaves out, all would wait for.
        if ranks.count == 1 { try Task.checkCancellation() }
      }
      observer.progress(.drawingLatents, count + 1, own.count)
    }
    var all = latents
    try ranks.hand(
      own.compactMap { index in latents[index].map { (index, $0) } },
      write: { entry, message in
        message.append(entry.0)
        entry.1.write(to: &message)
      },
      receive: { reader in
        let index = reader.integer()
        all[index] = Tensor(reading: &reader)
      })
    return LatentCache(of: images, drawn: requests.indices.compactMap { all[$0] }, plan.outline.latents)
  }
}
