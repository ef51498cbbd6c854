import Autograd
import Tensors

extension Trainer {
  /// Timesteps at which images that are held out are judged: a fifth, two fifths … of the range, as kohya's
  /// scripts have it.
  var validationTimesteps: [Int] {
    let range = plan.configuration.noise.timesteps
    return (1...4).map { range.lowerBound + $0 * range.count / 5 }
  }

  /// The mean loss of the images that are held out: always the same latents, noise and timesteps, nothing
  /// dropped, nothing recorded. nil if there are none.
  func validate() throws -> Double? {
    var batches = plan.images.validationBatches()
    if let limit = plan.configuration.run.mostValidationBatches {
      batches = Array(batches.prefix(limit))
    }
    guard !batches.isEmpty else { return nil }
    let seed = plan.configuration.run.validationSeed ?? plan.seed
    var settings = BatchLoader.Settings(seed: seed, epoch: 0)
    settings.isValidation = true
    settings.stride = latentStride
    let loader = BatchLoader(batches, of: plan.images, cache: cache, settings)
    defer { loader.cancel() }
    return try evaluating {
      var (sum, count) = (0.0, 0)
      while let batch = try loader.next() {
        let latents = try latents(of: batch)
        let context = text.context(of: batch.captions)
        for timestep in validationTimesteps {
          // The noise of a timestep is its own: the epoch tells them apart.
          let randomness = batch.samples.map {
            SampleRandomness(seed: seed, epoch: timestep, sample: $0)
          }
          let problem = objective.problem(
            latents, randomness, timesteps: batch.samples.map { _ in timestep })
          let loss = objective.loss(
            of: problem, context: context, weights: batch.lossWeights, mask: batch.mask)
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
