import Machine
import Pipelines
import Safetensors
import Sampling
import SystemPackage
import Tensors

extension Trainer {
  /// The text encoders. Where nothing that they are asked later differs from what is known now, all captions are
  /// encoded or kept in files, and the encoders are gone.
  /// - Parameter memory: what frozen weights lie in that ranks share is added; those of encoders that soon are gone are
  ///   each rank's own.
  /// - Throws: what reading the encoders and writing files throws, `TrainingError.interrupted`.
  static func captions(
    _ plan: TrainingPlan, _ pipeline: Pipeline.Type, _ memory: inout [SharedMemory],
    _ observer: TrainingObserver
  ) throws -> KnownCaptions {
    let configuration = plan.configuration
    func read() throws -> [any CaptionEncoder] {
      try pipeline.captionEncoders(
        of: plan.base, configuration.textModel(plan.network),
        checkpointsBlocks: configuration.run.checkpointsBlocks)
    }
    let isNeeded = plan.textCache == nil || !plan.missingText.isEmpty || plan.samples != nil
    let captions = KnownCaptions(
      try !isNeeded ? [] : plan.encodesTextFirst ? read() : sharing(plan, &memory, read),
      atMost: configuration.textCaching == .memory ? .max : KnownCaptions.commonBytes)
    if let cache = plan.textCache {
      try keep(plan.missingText, in: cache, captions, plan.ranks, observer)
      try settle(captions, for: [], plan, observer)
    } else if plan.encodesTextFirst {
      try settle(captions, for: plan.images.fixedCaptions, plan, observer)
    }
    return captions
  }

  /// - Parameter all: nil where captions vary, and encoders are kept.
  static func settle(
    _ captions: KnownCaptions, for all: Set<String>?, _ plan: TrainingPlan,
    _ observer: TrainingObserver
  ) throws {
    if let samples = plan.samples {
      captions.remember(prompts: EncodedPrompts.batches(of: samples.pictures))
    }
    if plan.images.isDrawn, !plan.teacherHasOwnCaptions {
      captions.remember(prompts: EncodedPrompts.batches(of: plan.images.requests))
    }
    guard let all else { return }
    // Where all of them are known to fit, every rank encodes its share.
    let ranks = plan.encodesTextFirst ? plan.ranks : SingleProcess()
    try captions.settle(for: all, over: ranks) { done, total in
      observer.progress(.encodingCaptions, done, total)
      return !Task.isCancelled
    }
  }

  private static func keep(
    _ images: [TextCache.Missing], in cache: TextCache, _ captions: KnownCaptions,
    _ ranks: any Communicator, _ observer: TrainingObserver
  ) throws {
    let folders = try OutputPlace.folders(of: ranks.isFirst ? images.map(\.path) : [])
    defer { withExtendedLifetime(folders) {} }
    try ranks.agree()
    for (index, image) in images.enumerated() where ranks.isOwn(index) {
      // Files that are made are kept.
      if Task.isCancelled { throw TrainingError.interrupted(state: nil) }
      // Of one caption: the first axis says nothing.
      let outputs = captions.fresh(image.caption).map {
        $0.reshaped(Shape(Array($0.shape.dimensions.dropFirst())))
      }
      try cache.write(outputs, of: image)
      observer.progress(.encodingCaptions, index + 1, images.count)
    }
    // All are there before any is read.
    try ranks.agree()
  }
}
