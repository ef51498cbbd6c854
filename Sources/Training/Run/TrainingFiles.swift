import Autograd
import Checkpoints
import FoundationEssentials
import Machine
import ModelFamilies
import Pipelines
import Safetensors
import Sampling
import SystemPackage
import Tensors

/// What a run writes: when, under which names, with which metadata.
struct TrainingFiles {
  let names: SaveNames
  let metadata: TrainingMetadata
  private let byEpoch, byStep: Retention?
  private let epochs: Int

  init(_ plan: TrainingPlan) {
    let output = plan.configuration.output
    names = SaveNames(folder: output.folder, name: output.name)
    epochs = plan.arithmetic.epochs
    // At least so many saves: the fewest epochs between them, whatever else is said, as in sd-scripts.
    let every = output.epochRatio.map { max(1, plan.arithmetic.epochs / $0) } ?? output.everyEpochs
    byEpoch = every.map {
      Retention(every: $0, last: output.lastEpochs, lastStates: output.lastEpochStates)
    }
    byStep = output.everySteps.map {
      Retention(every: $0, last: output.lastSteps, lastStates: output.lastStepStates)
    }
    metadata = plan.metadata(startedAt: EventLog.now)
  }

  /// What is to be saved after a step: under its own number, that of the epoch that ends with it, both or
  /// neither.
  func due(after progress: TrainingProgress, endsEpoch: Bool) -> [SaveNames.Moment] {
    var moments: [SaveNames.Moment] = []
    if let byStep, progress.step % byStep.every == 0 { moments.append(.step(progress.step)) }
    if endsEpoch, let byEpoch, progress.epoch % byEpoch.every == 0, progress.epoch < epochs {
      moments.append(.epoch(progress.epoch))
    }
    return moments
  }

  /// Removes what a later save makes superfluous. What cannot be removed stays.
  func removeOutdated(at moment: SaveNames.Moment) {
    let retention: Retention?
    switch moment {
    case .epoch: retention = byEpoch
    case .step: retention = byStep
    case .end: retention = nil
    }
    guard let retention else { return }
    if let old = retention.removed(at: moment) {
      let path = names.adapter(old)
      if path.kind == .regular { try? path.removeFile() }
    }
    if let old = retention.removedState(at: moment) { TrainingState.remove(names.state(old)) }
  }
}

extension TrainingPlan {
  /// What every adapter of the run says about itself.
  func metadata(startedAt time: Double) -> TrainingMetadata {
    var settings = configuration.noise.metadata(zeroTerminal: configuration.hasZeroTerminalSNR)
    settings.merge(configuration.loss.metadata) { $1 }
    let summary = images.summary
    let variant = outline.variant
    let isOfMusubi =
      FamilyMetadata(of: base.layout.family, variant: variant)?.trainer == .musubi
    settings["num_train_images"] = PythonText(summary.trainingSamples)
    settings["num_reg_images"] = PythonText(summary.regularizationImages)
    settings["num_validation_images"] = PythonText(summary.validationImages)
    settings["cache_latents"] = PythonText(configuration.cache.place != nil)
    settings["lr_scheduler"] = PythonText(configuration.schedule.name)
    let warmup = configuration.schedule.warmup
    settings["lr_warmup_steps"] = Int(exactly: warmup).map { PythonText($0) } ?? PythonText(warmup)
    settings["optimizer"] = PythonText(
      optimizer.className + (optimizer.arguments.isEmpty ? "" : "(\(optimizer.arguments))"))
    for (key, value) in images.metadata(accumulation: configuration.run.accumulation) {
      settings[String(key.dropFirst("ss_".count))] = PythonText(value)
    }
    if !configuration.network.arguments.isEmpty {
      settings["network_args"] = PythonText(
        JSONValue.object(givenNetworkArguments(isDropoutAdded: !isOfMusubi)).pythonText)
    }
    if let teacher { settings["teacher_name"] = PythonText(teacher.model.file.path.lastComponent?.string) }
    settings["sd_model_name"] = PythonText(configuration.model.base.lastComponent?.string)
    if let vae = configuration.model.vae {
      settings["vae_name"] = PythonText(vae.lastComponent?.string)
    }
    // Whole files are read for hashes: not for metadata that nobody wants, nor where the trainer of the family has
    // none.
    let hashes = !configuration.output.omitsMetadata && !isOfMusubi && ranks.isFirst
    let given = [configuration.firstTimestep, configuration.lastTimestep]
    return TrainingMetadata(
      settings, hashes: hashes ? hashedFiles : [], of: configuration, seed: seed,
      family: base.layout.family,
      variant: variant,
      resolution: summary.datasets.first.map { "\($0.resolution)" }, steps: arithmetic,
      timesteps: given == [nil, nil]
        ? nil : (given[0] ?? 0)...(given[1] ?? NoiseSchedule.timestepCount), startedAt: time)
  }

  /// Hashes are found while the model is loaded and trained; the first adapter that is saved has them.
  private var hashedFiles: [TrainingMetadata.HashedFile] {
    let model = configuration.model
    let files: [(name: String, path: FilePath?)] = [
      ("sd_model_hash", model.base), ("vae_hash", model.vae),
    ]
    return files.compactMap { name, path in
      guard let path else { return nil }
      return .init(name: name, hash: Later { CheckpointHash(of: path) })
    }
  }

  /// `--network_args` as they were given, with the dropout that sd-scripts adds to them.
  private func givenNetworkArguments(
    isDropoutAdded: Bool
  ) -> [(key: String, value: JSONValue)] {
    var members: [(key: String, value: JSONValue)] = []
    for text in configuration.network.arguments {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let (key, value) = (String(parts[0]), JSONValue.string(String(parts.last ?? "")))
      if let place = members.firstIndex(where: { $0.key == key }) {
        members[place].value = value
      } else {
        members.append((key, value))
      }
    }
    let isAdded =
      isDropoutAdded && !configuration.network.takesRanksFromWeights
      && !members.contains { $0.key == "dropout" }
    if isAdded {
      let dropout = configuration.network.flags.dropout
      members.append(("dropout", dropout.map { .number("\($0)") } ?? .null))
    }
    return members
  }

  /// Options without which a resumed run would not be the one that was interrupted.
  var resumedSettings: [String: String] {
    let flags = network.settings.flags
    var settings = [
      "--seed": "\(seed)", "--network_module": flags.module,
      "--gradient_accumulation_steps": "\(configuration.run.accumulation)",
      "--mixed_precision": configuration.model.compute == .bf16 ? "bf16" : "no",
      "images of an epoch": "\(images.summary.datasets.map(\.samples))",
      "--train_batch_size": "\(images.summary.datasets.map(\.batchSize))",
      "--network_alpha": "\(flags.alpha)",
    ]
    settings["--network_dim"] = flags.rank.map { "\($0)" }
    settings["--network_args"] =
      configuration.network.arguments.isEmpty
      ? nil : configuration.network.arguments.sorted().joined(separator: " ")
    settings["--ema_decay"] = configuration.run.averageDecay.map { "\($0)" }
    settings["--base_weights_dtype"] = configuration.model.holdsInt8 ? "int8" : nil
    settings["--model_version"] = configuration.model.variant
    settings["--dit_high_noise"] = outline.highNoise == nil ? nil : "a second network"
    return settings
  }

  /// What is trained upon. A run may go on with another, as with other learning rates.
  var trainedModel: TrainedModel {
    let denoisers = Set(base.layout.modules.filter { $0.role == .denoiser }.map(\.component))
    return TrainedModel(
      weights: CheckpointParameters(base).identity(of: denoisers.sorted()), tokens: outline.tokens)
  }

  /// How noise, times and losses are drawn and weighed, by the names of metadata. A run may go on with others, as with
  /// other learning rates.
  var objectiveSettings: [String: String] {
    var settings = configuration.loss.metadata.mapValues(\.text)
    settings["weights of the teacher"] = teacher?.model.file.identity()
    let times = [
      "min_timestep": configuration.firstTimestep, "max_timestep": configuration.lastTimestep,
    ]
    for (name, time) in times { settings[name] = time.map { "\($0)" } }
    for (part, rate) in configuration.textDropout.rates {
      settings["\(part)_dropout_rate"] = "\(rate)"
    }
    guard case .flow = outline.prediction else {
      let noise = configuration.noise.metadata(zeroTerminal: configuration.hasZeroTerminalSNR)
      return settings.merging(noise.mapValues(\.text)) { $1 }
    }
    let (flow, model) = (configuration.flow, configuration.model)
    settings.merge(flow.metadata.mapValues(\.text)) { $1 }
    settings["preserve_distribution_shape"] = flow.keepsShape ? "True" : nil
    settings["num_timestep_buckets"] = flow.bucketCount.map { "\($0)" }
    settings["guidance_scale"] = model.guidance.map { "\($0)" }
    settings["model_prediction_type"] =
      flow.prediction == .raw ? nil : flow.prediction.rawValue
    settings["training_shift"] = flow.trainingShift == 1 ? nil : "\(flow.trainingShift)"
    settings["timestep_boundary"] = model.boundary.map { "\($0)" }
    return settings
  }
}
