import Autograd
import Checkpoints
import LinearAlgebra
import Machine
import ModelFamilies
import Pipelines
import SystemPackage
import Tensors

extension Trainer {
  /// Trains to the end, or to where the user stops it.
  /// - Throws: `TrainingError.interrupted` with the state that was saved, `.notFinite`, and whatever reading
  ///   images and writing files throws.
  package func run() throws -> TrainingReport {
    let last = lastStep
    try plan.checkNotFinished(at: progress.step)
    // A state may be another one on another machine.
    try plan.ranks.checkAlike([("parameters of step \(progress.step)", state().digests.parameters)])
    if let state = plan.configuration.run.resumed, plan.ranks.isFirst { try catchUp(with: state) }
    try drawFirstSamples()
    let (first, started) = (progress.step, ContinuousClock.now)
    observer.begin(.training(from: first, to: last))
    stop?.set { [unowned self] in try saveStep(since: first) }
    defer { stop?.set(nil) }
    do {
      while progress.step < last { try trainEpoch() }
      return try finish(since: first, started)
    } catch {
      throw stopped(by: error, since: first)
    }
  }

  /// The step with which the run ends.
  private var lastStep: Int { plan.arithmetic.lastStep(from: progress.start) }

  /// The rest of an epoch, or of the run.
  private func trainEpoch() throws {
    let (accumulation, last) = (plan.configuration.run.accumulation, lastStep)
    let ranks = plan.ranks
    let batches = plan.images.batches(epoch: progress.epoch, seed: plan.seed)
    var settings = BatchLoader.Settings(
      seed: plan.seed, epoch: progress.epoch, stride: plan.outline.latents.stride)
    settings.firstStep = progress.step
    settings.stepCount = plan.arithmetic.steps
    settings.accumulation = accumulation
    settings.share = (ranks.rank, ranks.count)
    settings.textDropout = plan.configuration.textDropout
    settings.textParts = Pipeline.textParts
    let loader = BatchLoader(
      Array(batches[progress.batchInEpoch...]), of: plan.images, cache: cache, text: plan.textCache,
      settings)
    defer { loader.cancel() }
    // Batches of a step that is not complete count for nothing where the run stops.
    var (place, losses) = (progress.batchInEpoch, [Double]())
    while progress.step < last, place < batches.count {
      // A batch of each rank, as long as there are some.
      let own = place + ranks.rank
      let loss =
        own < batches.count
        ? try loader.next().map { try gradients(of: $0, at: own) } : nil
      losses += try sums.add(
        loss: loss, isInterrupted: ranks.count > 1 && Task.isCancelled)
      place = min(place + ranks.count, batches.count)
      guard place % accumulation == 0 || place == batches.count else { continue }
      try step(losses, endingAt: place, of: batches.count)
      losses = []
      try afterStep(endsEpoch: place == batches.count)
    }
  }

  /// Adds the gradients of one batch to the parameters.
  /// - Returns: its loss.
  private func gradients(of batch: TrainingBatch, at place: Int) throws -> Double {
    let randomness = batch.samples.map {
      SampleRandomness(seed: plan.seed, epoch: progress.epoch, sample: $0)
    }
    let problem = posed(
      objective.problem(try latents(of: batch), at: nil, randomness), batch)
    network.multiplier = batch.networkMultiplier
    network.beginStep(
      StepIdentity(
        seed: plan.seed, epoch: progress.epoch, batch: place,
        timesteps: problem.times, timestepCount: objective.timeCount))
    defer {
      network.endStep()
      network.multiplier = 1
    }
    let loss = Recording().record {
      let loss = self.loss(of: problem, batch)
      if loss.total.value.elements[0].isFinite {
        loss.total.backpropagate(
          Tensor(scalar: 1 / Float(plan.configuration.run.accumulation)))
      }
      return loss
    }
    let value = loss.total.value.elements[0]
    guard value.isFinite else {
      let trace = LayerTrace()
      trace.watch { _ = self.loss(of: problem, batch) }
      throw notFinite(
        "the loss", layer: trace.firstNonFinite.map { "\($0.component).\($0.path)" },
        images: loss.firstNonFiniteSample.map { [batch.paths[$0]] } ?? batch.paths)
    }
    return Double(value)
  }

  private func loss(of problem: Problem, _ batch: TrainingBatch) -> Loss {
    loss(of: problem, condition(of: batch), batch)
  }

  func condition(of batch: TrainingBatch) -> Pipeline.Condition {
    condition(of: batch, for: pipeline, captions)
  }

  /// The captions of a batch as a denoiser reads them.
  func condition(
    of batch: TrainingBatch, for pipeline: Pipeline, _ captions: KnownCaptions
  ) -> Pipeline.Condition {
    let condition =
      batch.kept.map { pipeline.condition(kept: $0, batch.sizes) }
      ?? pipeline.condition(captions.encoded(batch.captions), batch.sizes)
    return batch.textLeftOut.allSatisfy(\.isEmpty)
      ? condition : pipeline.leavingOut(batch.textLeftOut, of: condition)
  }

  func loss(
    of problem: Problem, _ condition: Pipeline.Condition, _ batch: TrainingBatch
  ) -> Loss {
    let prediction = pipeline.predict(Variable(problem.input), at: problem.times, condition)
    return objective.loss(of: problem, prediction, weights: batch.lossWeights, mask: batch.mask)
  }

  /// Scaled latents of a batch, drawn from what the encoder makes of its pixels where they are not kept.
  func latents(of batch: TrainingBatch) throws -> Tensor {
    let layout = plan.outline.latents
    switch batch.content {
    case .latents(let latents):
      return cache?.holdsScaled ?? false ? latents : layout.scaled(latents)
    case .pixels(let pixels):
      guard let encoder else { preconditionFailure("an encoder where nothing is cached") }
      return layout.scaled(batch.sampled(try encoder.encode(pixels)))
    }
  }

  /// Moves the parameters by what has gathered.
  /// - Parameters: the batches of the epoch that are done, and all that it has.
  private func step(_ losses: [Double], endingAt place: Int, of count: Int) throws {
    try sums.finish()
    let norm = groups.clipGradients(to: plan.configuration.run.largestGradient)
    guard norm.isFinite else {
      throw notFinite("a gradient", layer: groups.firstNonFiniteGradient?.name, images: [])
    }
    // A run that begins with a later step has its schedule from the start.
    let index = progress.step - progress.start.step
    let rates = groups.map { plan.schedule.rate(of: $0.rate, at: index) }
    let loss = losses.reduce(0, +) / Double(losses.count)
    let epoch = progress.epoch
    let norms = changing {
      optimizer.step(groups, rates: rates)
      groups.clearGradients()
      let norms = plan.configuration.network.normLimit.map { network.scaleNorms(to: $0) }
      average?.update(groups)
      progress.losses.add(
        loss, epoch: epoch, step: (place - 1) / plan.configuration.run.accumulation)
      // Whatever fails from here on, this is where the run stands.
      progress.step += 1
      progress.epoch += place == count ? 1 : 0
      progress.batchInEpoch = place == count ? 0 : place
      return norms
    }
    let used = optimizer.effectiveRates(groups, rates: rates)
    try log(
      StepLog(
        loss: loss, averageLoss: progress.losses.value,
        rates: zip(groups, used).map { ($0.name, $1) }, adaptedRate: optimizer.adaptedRate,
        norms: norms.map {
          .init(
            scaledCount: $0.scaledCount, average: Double($0.average),
            largest: Double($0.largest))
        }, gradientNorm: norm
      ).scalars, step: progress.step, epoch: epoch + 1)
    if observer.wantsNorms() {
      observer.measured(
        .init(
          step: progress.step, areChanges: network.tellsChanges, modules: network.moduleNorms()))
    }
    observer.stepped(
      TrainingObserver.Step(
        number: progress.step, count: lastStep, epoch: epoch + 1,
        averageLoss: progress.losses.value, rate: used.last ?? 0))
  }

  /// What is said of numbers that are none: a lower rate is no cure where the model's own are not.
  private func notFinite(_ what: String, layer: String?, images: [FilePath]) -> TrainingError {
    let networks = [plan.base] + [plan.outline.highNoise, plan.teacher?.model].compactMap(\.self)
    for network in networks {
      if let found = network.firstNotFinite({ $0 == .denoiser || $0 == .text }) {
        return .damagedBase(
          found.file, tensor: found.tensor, what: what, step: progress.step + 1)
      }
    }
    return .notFinite(what: what, step: progress.step + 1, layer: layer, images: images)
  }

  /// Measures, saves, draws and stops where that is due, in that order: a state that a run goes on from has the rows of
  /// its step in the logs, and pictures that fail cost no adapter.
  private func afterStep(endsEpoch: Bool) throws {
    let run = plan.configuration.run
    let isLast = progress.step == lastStep
    if run.validationSteps.map({ progress.step % $0 == 0 }) ?? false {
      try recordValidation(atEpoch: false)
    }
    if endsEpoch {
      try checkAgreement()
      try log(
        [(StepLog.epochAverage, progress.losses.value)], step: progress.step,
        epoch: progress.epoch, eventStep: progress.epoch)
      let isDue = run.validationSteps == nil || run.validationEpochs != nil
      if isDue, progress.epoch % (run.validationEpochs ?? 1) == 0 {
        try recordValidation(atEpoch: true)
      }
    }
    // The end of a run is judged whatever is due.
    if isLast, lastValidation?.step != progress.step {
      try recordValidation(atEpoch: run.validationSteps == nil)
    }
    for moment in files.due(after: progress, endsEpoch: endsEpoch) {
      try save(moment, endsEpoch: endsEpoch, withState: plan.configuration.output.savesState)
    }
    try drawSamples(at: plan.samples?.due(after: progress, endsEpoch: endsEpoch))
    // Of several ranks the next batch tells all of them.
    guard Task.isCancelled, !isLast, plan.ranks.count == 1 else { return }
    let folder = files.names.state(.step(progress.step))
    try state().write(to: folder)
    throw TrainingError.interrupted(state: folder)
  }

  /// Checks that all ranks have the same parameters: processors of different kinds may round otherwise, and from then
  /// on every rank would train an adapter of its own.
  private func checkAgreement() throws {
    let ranks = plan.ranks
    guard ranks.count > 1 else { return }
    let own = Array(state().digests.parameters.utf8)
    let found = try ranks.gather(own)
    guard let other = found.firstIndex(where: { $0 != found[0] }) else { return }
    throw TrainingError.apart(
      rank: other, host: ranks.hosts[other], firstHost: ranks.hosts[0], step: progress.step)
  }

  /// Saves the state after an error that is not in the numbers, as after Ctrl-C: images and disks can be mended.
  private func stopped(by error: any Error, since first: Int) -> any Error {
    let ranks = plan.ranks
    var error = error
    if ranks.count > 1 {
      // From here on all ranks know, and none waits for another.
      let failure = error as? RankFailure ?? ranks.fail(RankFailure(error, on: ranks))
      guard ranks.isFirst, failure.kind != .numbers else { return failure }
      error = failure
      if failure.kind == .interrupted {
        do {
          error = TrainingError.interrupted(state: try saveStep(since: first))
        } catch let second {
          error = TrainingError.unsaved(reason: "interrupted", second: "\(second)")
        }
        return error
      }
    }
    switch error {
    case TrainingError.interrupted, TrainingError.notFinite, TrainingError.damagedBase,
      TrainingError.apart,
      is CancellationError:
      return error
    default: break
    }
    groups.clearGradients()
    do {
      guard let folder = try saveStep(since: first) else { return error }
      return TrainingError.stopped(reason: "\(error)", state: folder)
    } catch let second {
      return TrainingError.unsaved(reason: "\(error)", second: "\(second)")
    }
  }

  /// - Parameter eventStep: where event files count something else than steps
  private func log(
    _ scalars: [(tag: String, value: Double)], step: Int, epoch: Int, eventStep: Int? = nil
  ) throws {
    try record.append(scalars, step: step, epoch: epoch, eventStep: eventStep)
    observer.logged(scalars, step, epoch)
  }

  private func recordValidation(atEpoch: Bool) throws {
    guard let loss = try validate() else { return }
    lastValidation = (progress.step, loss)
    let divergence = loss - progress.losses.value
    try log(
      atEpoch
        ? [
          (StepLog.validationEpochAverage, loss),
          (StepLog.validationEpochDivergence, divergence),
        ]
        : [
          (StepLog.validationStepAverage, loss), (StepLog.validationStepDivergence, divergence),
        ], step: progress.step, epoch: progress.epoch)
    observer.validated(progress.step, loss)
  }

  private func finish(
    since first: Int, _ started: ContinuousClock.Instant
  ) throws -> TrainingReport {
    let seconds = (ContinuousClock.now - started) / .seconds(1)
    let output = plan.configuration.output
    let state = try save(
      .end, epoch: plan.arithmetic.epochs,
      withState: output.savesState || output.savesStateAtEnd)
    return TrainingReport(
      output: files.names.adapter(.end), state: state, steps: progress.step,
      epochs: plan.arithmetic.epochs, loss: progress.losses.value,
      validationLoss: lastValidation?.loss,
      seconds: seconds, ownSteps: progress.step - first)
  }
}
