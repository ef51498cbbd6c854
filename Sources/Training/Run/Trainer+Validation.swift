import Autograd
import ModelFamilies
import Pipelines
import Tensors

extension Trainer {
  /// The mean loss of the images that are held out: always the same latents, noise and timesteps, nothing
  /// dropped, nothing recorded. nil if there are none.
  func validate() throws -> Double? {
    var batches = plan.images.validationBatches()
    if let limit = plan.configuration.run.mostValidationBatches {
      batches = Array(batches.prefix(limit))
    }
    guard !batches.isEmpty else { return nil }
    let seed = plan.configuration.run.validationSeed ?? plan.seed
    var settings = BatchLoader.Settings(
      seed: seed, epoch: 0, stride: plan.outline.latents.stride)
    settings.isValidation = true
    let loader = BatchLoader(batches, of: plan.images, cache: cache, text: plan.textCache, settings)
    defer { loader.cancel() }
    return try evaluating {
      var (sum, count) = (0.0, 0)
      while let batch = try loader.next() {
        let latents = try latents(of: batch)
        let condition = condition(of: batch)
        for time in objective.judgedTimes {
          let randomness = batch.samples.map {
            SampleRandomness(seed: seed, judgedAt: time, sample: $0)
          }
          let problem = objective.problem(
            latents, at: batch.samples.map { _ in time }, randomness)
          let loss = loss(of: problem, condition, batch)
          sum += loss.samples.reduce(0, +)
          count += loss.samples.count
        }
      }
      return sum / Double(max(count, 1))
    }
  }

  /// Runs `body` with what would be saved in the place of what is trained, recording nothing.
  func evaluating<Result>(_ body: () throws -> Result) rethrows -> Result {
    optimizer.beginEvaluation(groups)
    average?.beginEvaluation(groups)
    defer {
      average?.endEvaluation(groups)
      optimizer.endEvaluation(groups)
    }
    return try Recording.pause(body)
  }
}
