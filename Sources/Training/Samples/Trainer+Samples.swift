import Autograd
import Checkpoints
import Images
import Machine
import ModelFamilies
import Pipelines
import Safetensors
import Sampling
import SystemPackage
import Tensors

extension Trainer {
  /// Draws pictures with what would be saved now, if that is due.
  ///
  /// Nothing that is trained with is changed: random numbers are the pictures' own, nothing is dropped or recorded,
  /// and what stands in the place of the parameters goes again. Ctrl-C leaves out the pictures that are not whole.
  /// - Throws: what reading the decoder and writing pictures throws.
  func drawSamples(at moment: SaveNames.Moment?) throws {
    guard let moment, let samples = plan.samples, plan.ranks.isFirst else { return }
    do {
      try evaluating { try draw(samples, at: moment) }
    } catch is CancellationError {
      // The run stops where it does without pictures.
    }
  }

  /// Before the first step of a run that begins.
  /// - Throws: as above; `TrainingError.interrupted`
  func drawFirstSamples() throws {
    guard plan.state == nil, plan.samples?.isDueAtFirst ?? false else { return }
    try drawSamples(at: .epoch(0))
    if Task.isCancelled { throw TrainingError.interrupted(state: nil) }
  }

  private func draw(_ samples: SamplePlan, at moment: SaveNames.Moment) throws {
    let latents = plan.outline.latents
    let prompts = try EncodedPrompts(samples.pictures, encode: captions.encoded(prompts:))
    let sampler = LatentSampler(pipeline, latents, samples.prediction, samples.schedule)
    // Its memory is free again when the next step comes.
    var decoder: (any LatentDecoder)?
    for (index, request) in samples.pictures.enumerated() {
      let pixels: Tensor
      do {
        let drawn = try sampler.draw(request, prompts) { done, _ in
          try Task.checkCancellation()
          observer.drawing(
            .init(
              picture: index + 1, pictureCount: samples.pictures.count, step: done,
              stepCount: request.steps))
        }
        decoder = try decoder ?? self.decoder()
        guard let decoder else { throw SamplingError.noDecoder(plan.base.file.path) }
        pixels = try decoder.pixels(
          of: drawn, latents, in: plan.configuration.model.vae ?? plan.base.file.path)
      } catch let error as SamplingError {
        // What cannot be seen can still be trained.
        observer.note("step \(progress.step): no sample is drawn: \(error)")
        continue
      }
      try write(RasterImage(pixels), of: request, samples, at: moment)
    }
  }

  /// In f32, whatever the rest of the model is computed in: bf16 would be seen.
  private func decoder() throws -> (any LatentDecoder)? {
    var settings = plan.configuration.model
    settings.compute = .f32
    return try Pipeline.decoder(of: plan.base, settings)
  }

  /// Writes a whole picture or nothing, and shows it in the log.
  private func write(
    _ image: RasterImage, of request: PictureRequest, _ samples: SamplePlan,
    at moment: SaveNames.Moment
  ) throws {
    let path = files.names.sample(
      moment, prompt: request.promptIndex, seed: request.seed, at: EventLog.now)
    let text = plan.parameters(of: request, samples, step: progress.step).text
    var set = OutputSet()
    try set.makeFolder(files.names.samples)
    try set.add(image.png([PNGText("parameters", text)]), at: path)
    try set.commit()
    try record.append(
      "sample/" + SaveNames.padded(request.promptIndex, 2),
      EventPicture(width: image.width, height: image.height, png: image.png()),
      step: progress.step)
    observer.sampled(
      .init(
        step: progress.step, promptIndex: request.promptIndex, prompt: request.prompt,
        seed: request.seed, image: image, path: path))
  }
}

extension TrainingPlan {
  /// What the file of a sample picture says of it.
  fileprivate func parameters(
    of request: PictureRequest, _ samples: SamplePlan, step: Int
  ) -> PictureParameters {
    let (model, output) = (configuration.model, configuration.output)
    var parameters = PictureParameters(
      request, model: base.file.path.stem ?? "", vae: model.vae?.stem,
      clipSkip: outline.skippableTextLayers == nil ? nil : model.clipSkip, emphasis: nil,
      adapters: samples.merged, version: output.writer.replacing("/", with: " "))
    parameters.training = .init(name: output.name, steps: step)
    return parameters
  }
}
