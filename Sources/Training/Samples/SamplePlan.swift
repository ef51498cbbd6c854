import Checkpoints
import ModelFamilies
import Pipelines
import Safetensors
package import Sampling
import SystemPackage

/// Pictures that a run draws on its way: what of, and when.
///
/// Defaults are those of sd-scripts (`library/train_util.py`, `sample_images_common`): 512 × 512 pixels, 30 steps, a scale
/// of 7.5, unless the family's file says else. A prompt without a seed has that of the run, counted on by its place among
/// the prompts, so that all its pictures begin with the same noise, and a run that is repeated draws the same.
package struct SamplePlan {
  /// One for each prompt.
  package let pictures: [PictureRequest]
  let prediction: Prediction
  let schedule: NoiseSchedule
  /// What is merged into the base, as the files of pictures say it.
  let merged: [PictureParameters.Adapter]
  let isDueAtFirst: Bool
  private let everySteps, everyEpochs: Int?

  private static let (side, steps, scale) = (512, 30, 7.5)

  /// nil where nothing is drawn; notices say why.
  /// - Parameters:
  ///   - configuration: as far as it is of the checkpoint's family.
  ///   - seed: of the run.
  /// - Throws: `PromptError`, `SettingError` for a sampler, `SamplingError` for prompts that cannot be drawn and for
  ///   a checkpoint without a decoder, and `ModelLoadingError` for one without text encoders.
  init?(
    _ configuration: TrainingConfiguration, _ outline: PipelineOutline, of base: BaseModel,
    _ pipeline: any ModelPipeline.Type, seed: UInt64, _ notices: inout [String]
  ) throws {
    let samples = configuration.samples
    guard samples.isAsked, let path = samples.prompts else { return nil }
    guard pipeline.drawsPictures, outline.prepared == nil else {
      notices.append(
        "'--sample_prompts': no samples are drawn: \(base.layout.family.title) draws none where captions and "
          + "pictures come encoded")
      return nil
    }
    if samples.everySteps != nil, samples.everyEpochs != nil {
      notices.append(
        "'--sample_every_n_steps' has no effect with '--sample_every_n_epochs', as in kohya's scripts"
      )
    }
    let file = try PromptFile(reading: path)
    notices += file.notices
    var drawing = SamplingConfiguration(model: configuration.model, prompts: file.prompts)
    (drawing.width, drawing.height) = (Self.side, Self.side)
    let rules = PictureRules(of: base, outline)
    drawing.steps = rules.sampling.steps ?? Self.steps
    drawing.scale = rules.sampling.scale ?? Self.scale
    let isFlow = if case .flow = outline.prediction { true } else { false }
    drawing.sampler = try Self.sampler(named: samples.sampler)
    if isFlow {
      Self.noteSampler(drawing.sampler, &notices)
      drawing.sampler = .standard
    }
    guard outline.hasDecoder else {
      throw SamplingError.noDecoder(configuration.model.vae ?? base.file.path)
    }
    // What the outline did not ask for where captions are kept.
    if configuration.textCaching == .disk {
      _ = try pipeline.outline(of: base, configuration.model)
    }
    var pictures: [PictureRequest] = []
    for (index, prompt) in file.prompts.enumerated() {
      pictures.append(
        drawing.request(of: prompt, at: index, rules, seed: seed &+ UInt64(index), &notices))
    }
    prediction =
      isFlow
      ? outline.prediction ?? .noise : configuration.loss.predictsVelocity ? .velocity : .noise
    // Noise cannot be predicted where there is nothing else; kohya's scripts draw all samples so.
    schedule = NoiseSchedule(
      outline.betas,
      zeroTerminal: configuration.hasZeroTerminalSNR && prediction == .velocity)
    for (prompt, picture) in zip(file.prompts, pictures) {
      do throws(SamplerError) {
        _ = try picture.solver(prediction, schedule)
      } catch {
        throw SamplingError.sampler(place: prompt.place, error)
      }
      try rules.check(picture, at: prompt.place)
    }
    self.pictures = pictures
    merged = try configuration.model.merged.map { try PictureParameters.Adapter($0) }
    isDueAtFirst = samples.drawsAtFirst
    everyEpochs = samples.everyEpochs
    everySteps = samples.everyEpochs == nil ? samples.everySteps : nil
  }

  private static func noteSampler(_ sampler: Sampler, _ notices: inout [String]) {
    guard sampler != .standard, sampler.name.rawValue != TrainingConfiguration.Samples().sampler
    else { return }
    notices.append(
      "'--sample_sampler' has no effect: a flow is followed by '\(Sampler.standard.title)'")
  }

  private static func sampler(named name: String) throws(SettingError) -> Sampler {
    do throws(SamplerError) {
      return try Sampler(parsing: name)
    } catch {
      throw .combination("'--sample_sampler': \(error)")
    }
  }

  /// Under which number pictures are to be drawn after a step; nil for none.
  func due(after progress: TrainingProgress, endsEpoch: Bool) -> SaveNames.Moment? {
    if let everyEpochs {
      return endsEpoch && progress.epoch % everyEpochs == 0 ? .epoch(progress.epoch) : nil
    }
    guard let everySteps, progress.step % everySteps == 0 else { return nil }
    return .step(progress.step)
  }

  /// `2 sample pictures every 100 steps and at first`
  package var summary: String {
    let times = [
      everyEpochs.map { $0 == 1 ? "every epoch" : "every \($0) epochs" },
      everySteps.map { $0 == 1 ? "every step" : "every \($0) steps" },
      isDueAtFirst ? "at first" : nil,
    ].compactMap(\.self)
    return "\(pictures.count) sample \(pictures.count == 1 ? "picture" : "pictures") "
      + times.joined(separator: " and ")
  }
}
