import Autograd
import Machine
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
    settings.share = (plan.ranks.rank, plan.ranks.count)
    let loader = BatchLoader(batches, of: plan.images, cache: cache, text: plan.textCache, settings)
    defer { loader.cancel() }
    return try evaluating {
      // Of each batch the losses at all times, and the number of its samples.
      var judged: [[(loss: Double, count: Int)]] = []
      while let batch = try loader.next() {
        var losses: [(loss: Double, count: Int)] = []
        let latents = try latents(of: batch)
        let condition = condition(of: batch)
        for time in objective.judgedTimes {
          let randomness = batch.samples.map {
            SampleRandomness(seed: seed, judgedAt: time, sample: $0)
          }
          let problem = posed(
            objective.problem(latents, at: batch.samples.map { _ in time }, randomness), batch)
          let loss = loss(of: problem, condition, batch)
          losses.append((loss.samples.reduce(0, +), loss.samples.count))
        }
        judged.append(losses)
      }
      var (sum, count) = (0.0, 0)
      for batch in try gathered(judged, batches.count) {
        for entry in batch {
          sum += entry.loss
          count += entry.count
        }
      }
      return sum / Double(max(count, 1))
    }
  }

  /// What all ranks found, in the order of batches.
  private func gathered(
    _ own: [[(loss: Double, count: Int)]], _ count: Int
  ) throws -> [[(loss: Double, count: Int)]] {
    guard plan.ranks.count > 1 else { return own }
    var message = Message()
    for batch in own {
      message.append(batch.count)
      for entry in batch {
        message.append(entry.loss)
        message.append(entry.count)
      }
    }
    var readers = try plan.ranks.gather(message.bytes).map { MessageReader($0) }
    return (0..<count).map { index in
      let rank = index % readers.count
      return (0..<readers[rank].integer()).map { _ in
        (readers[rank].number(), readers[rank].integer())
      }
    }
  }

  /// Runs `body` with what would be saved in the place of what is trained, recording nothing.
  func evaluating<Result>(_ body: () throws -> Result) rethrows -> Result {
    try keepingState { try replaced(body) }
  }

  private func replaced<Result>(_ body: () throws -> Result) rethrows -> Result {
    optimizer.beginEvaluation(groups)
    average?.beginEvaluation(groups)
    defer {
      average?.endEvaluation(groups)
      optimizer.endEvaluation(groups)
    }
    return try Recording.pause(body)
  }

  /// Runs `body`, while the state that can be saved is that of now.
  private func keepingState<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let stop else { return try body() }
    let (state, folder) = (self.state(), files.names.state(.step(progress.step)))
    return try stop.keeping(
      {
        try state.write(to: folder)
        return folder
      }, during: body)
  }
}
