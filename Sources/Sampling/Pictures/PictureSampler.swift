import Autograd
import Checkpoints
import Pipelines
import Safetensors
import Tensors

/// Draws the pictures of a plan.
///
/// What is not needed yet is not read, and what is not needed any longer is let go: text encoders before the denoiser
/// comes, the denoiser before the last picture is decoded. Adapters are merged into the weights as these are read,
/// once for each variant.
struct PictureSampler<Pipeline: ModelPipeline> {
  let plan: SamplingPlan
  let observer: PictureObserver

  /// - Throws: `CancellationError` between two steps, `SamplingError.notFinite`, and what reading and the observer
  ///   throw.
  func run() throws {
    var decoder: (any LatentDecoder)?
    var counter = StepCounter(plan)
    for variant in plan.variants.indices {
      try draw(variant, &counter, &decoder)
    }
  }

  private func draw(
    _ variant: Int, _ counter: inout StepCounter, _ decoder: inout (any LatentDecoder)?
  ) throws {
    var settings = plan.configuration.model
    settings.merged = plan.variants[variant].adapters
    let prompts = try encodedPrompts(settings)
    observer.begin(.readingDenoiser)
    var sampler: LatentSampler<Pipeline>? = LatentSampler(
      try Pipeline(plan.base, settings, checkpointsBlocks: false), plan.outline.latents,
      plan.prediction, plan.schedule)
    observer.begin(.drawing)
    for (index, request) in plan.pictures.enumerated() {
      guard
        let latents = try sampler?.draw(
          request, prompts,
          progress: { done, clean in
            try Task.checkCancellation()
            observer.stepped(counter.count(request, done))
            if let every = plan.configuration.previewSteps, done % every == 0, done < request.steps
            {
              let pixels = try decoded(clean, &decoder)
              try observer.preview(.init(variant: variant, index: index, pixels: pixels))
            }
          })
      else { break }
      if index == plan.pictures.count - 1 { sampler = nil }
      observer.begin(.decoding)
      let pixels = try decoded(latents, &decoder)
      try observer.drawn(.init(variant: variant, index: index, pixels: pixels))
      try Task.checkCancellation()
    }
  }

  private func encodedPrompts(_ settings: ModelSettings) throws -> EncodedPrompts {
    observer.begin(.readingTextEncoders)
    let encoders = try Pipeline.captionEncoders(
      of: plan.base, settings, checkpointsBlocks: false)
    observer.begin(.encodingPrompts)
    return try EncodedPrompts(
      plan.pictures, progress: { try Task.checkCancellation() },
      encode: { texts in
        Recording.pause { encoders.flatMap { $0.encode(texts).map(\.value) } }
      })
  }

  /// Reads the decoder where that was not yet done.
  private func decoded(
    _ latents: Tensor, _ decoder: inout (any LatentDecoder)?
  ) throws -> Tensor {
    if decoder == nil { decoder = try Pipeline.decoder(of: plan.base, plan.configuration.model) }
    guard let decoder else { throw SamplingError.noDecoder(plan.base.file.path) }
    return try decoder.pixels(
      of: latents, plan.outline.latents, in: plan.configuration.model.vae ?? plan.base.file.path)
  }
}

/// Counts the steps of all pictures, and the samples that the denoiser sees in them: steps of some solvers take two
/// calls, and a picture that is drawn away from nothing half as much.
private struct StepCounter {
  private let total: Int
  private let pictureCount: Int
  /// Of every picture of a variant.
  private let samples: [Int]
  /// Of pictures that are whole.
  private var before = 0
  private var picture = 0

  init(_ plan: SamplingPlan) {
    samples = plan.pictures.map { $0.texts.count * plan.callCount(of: $0) }
    total = plan.variants.count * samples.reduce(0, +)
    pictureCount = plan.variants.count * samples.count
  }

  /// - Parameter done: steps of the picture.
  mutating func count(_ request: PictureRequest, _ done: Int) -> PictureObserver.Step {
    let own = samples[picture % samples.count]
    let share = Double(before) + Double(own) * Double(done) / Double(request.steps)
    let step = PictureObserver.Step(
      picture: picture + 1, pictureCount: pictureCount, step: done, stepCount: request.steps,
      share: share / Double(max(total, 1)),
      shareOfStep: Double(own) / Double(request.steps * max(total, 1)))
    if done == request.steps {
      before += own
      picture += 1
    }
    return step
  }
}

extension SamplingPlan {
  /// Draws all pictures, on the thread that calls it.
  /// - Throws: see `PictureSampler.run`.
  package func draw(_ observer: PictureObserver) throws {
    ComputeThreads.set(threads)
    func run<Pipeline: ModelPipeline>(_ pipeline: Pipeline.Type) throws {
      try PictureSampler<Pipeline>(plan: self, observer: observer).run()
    }
    try run(pipeline)
  }
}
