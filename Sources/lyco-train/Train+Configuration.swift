import ArgumentParser
import Autograd
import CommandSupport
import FoundationEssentials
import Machine
import ModelFamilies
import Pipelines
import SystemPackage
import Tensors
import Training

extension Train {
  /// What the options ask for.
  /// - Parameter ranks: a step has the batches of all of them, and all draw by the seed of the first.
  func trainingConfiguration(over ranks: any Communicator) throws -> TrainingConfiguration {
    var configuration = try trainingConfiguration()
    guard ranks.count > 1 else { return configuration }
    configuration.run.accumulation *= ranks.count
    if configuration.run.seed == nil, configuration.run.resumed == nil {
      var drawn = Message()
      drawn.append(Int(UInt32.random(in: 0...UInt32.max)))
      var reader = MessageReader(try ranks.first(drawn.bytes))
      configuration.run.seed = UInt64(reader.integer())
    }
    return configuration
  }

  private func trainingConfiguration() throws -> TrainingConfiguration {
    guard let base = model.base else {
      throw ValidationError("expected a checkpoint: '--pretrained_model_name_or_path PATH'")
    }
    var configuration = TrainingConfiguration(
      model: modelSettings(base), output: outputSettings())
    configuration.precision = model.mixedPrecision
    configuration.teacher = model.teacher.map { path in
      var teacher = TeacherSettings(FilePath(named: path))
      teacher.prompts = model.teacherPrompts.map { FilePath(named: $0) }
      teacher.pictureCount = model.teacherSamples
      return teacher
    }
    configuration.network = networkSettings()
    configuration.run = runSettings()
    configuration.rates.common = optimizer.learningRate
    configuration.rates.unet = optimizer.unetRate
    configuration.rates.textEncoders = optimizer.textEncoderRates
    configuration.optimizer = optimizer.name
    configuration.optimizerArguments = optimizer.optimizerArguments
    configuration.schedule = scheduleSettings()
    configuration.noise = noiseSettings()
    configuration.flow = flowSettings()
    configuration.firstTimestep = loss.firstTimestep
    configuration.lastTimestep = loss.lastTimestep
    configuration.hasZeroTerminalSNR = loss.hasZeroTerminalSNR
    configuration.loss = try lossSettings()
    configuration.masksLoss = loss.isMasked
    configuration.images = try dataset.defaults(
      validationSplit: run.validationSplit, validationSeed: run.validationSeed)
    configuration.cache.place = cachePlace
    configuration.cache.isTrusted = dataset.trustsCache
    configuration.cache.batchSize = dataset.encoderBatchSize
    configuration.textCaching =
      dataset.cachesTextToDisk ? .disk : dataset.cachesText ? .memory : .none
    for (part, rate) in dataset.textDropout { configuration.textDropout.rates[part] = rate }
    configuration.samples = sampleSettings()
    return configuration
  }

  /// Settings that metadata have as they were given, by name: 4 of a file is no 4.0, and kohya's default of alpha is
  /// a whole number.
  func settingsAsGiven(_ given: GivenOptions) -> [String: String] {
    var settings = given.contains("network_alpha") ? [:] : ["network_alpha": "1"]
    for spelling in spellings {
      let parts = spelling.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      settings[String(parts[0])] = String(parts.last ?? "")
    }
    return settings
  }

  private func modelSettings(_ base: String) -> ModelSettings {
    var settings = ModelSettings(base: FilePath(named: base))
    settings.vae = model.vae.map { FilePath(named: $0) }
    settings.componentFiles = model.text.parts.mapValues { FilePath(named: $0) }
    settings.tokenizer = model.text.t5Tokenizer.map { FilePath(named: $0) }
    settings.t5MaxTokenLength = model.text.t5Length
    settings.appliesT5Mask = model.text.masksT5
    settings.family = family.family
    if model.v2 {
      let families = ModelFamily.all.filter { FamilyMetadata(of: $0)?.isV2 ?? false }
      settings.supposed.append(SupposedFamily(families, by: "'--v2'"))
    }
    if let script {
      settings.supposed.append(
        SupposedFamily(ModelFamily.all(trainedBy: script), by: "'\(script)'"))
      settings.itemsAreEncoded = ModelFamily.all.contains {
        $0.variant(trainedBy: script) == ModelFamily.encoded
      }
    }
    settings.clipSkip = model.clipSkip
    settings.guidance = flow.guidance
    settings.maxTokenLength = model.maxTokenLength
    settings.appliesCLIPMask = model.appliesCLIPMask
    settings.weighsCaptions = dataset.weighsCaptions
    // Half precision is for graphics cards: here bf16 takes its place.
    settings.compute = model.mixedPrecision == "no" ? .f32 : .bf16
    settings.variant = model.variant
    settings.highNoise = model.highNoise.map { FilePath(named: $0) }
    settings.boundary = model.boundary
    settings.transformerCompute = model.transformerFormat.map { $0 == "float32" ? .f32 : .bf16 }
    settings.asksFP8 = model.holdsFP8
    settings.streamedBlocks = model.streamedBlocks ?? 0
    settings.holdsInt8 = model.baseWeightsFormat == "int8"
    settings.merged = model.mergedAdapters.enumerated().map { index, path in
      MergedAdapter(
        FilePath(named: path),
        ratio: index < model.mergedRatios.count ? model.mergedRatios[index] : 1,
        option: "--base_weights")
    }
    return settings
  }

  private func networkSettings() -> TrainingConfiguration.Network {
    var settings = TrainingConfiguration.Network()
    settings.flags.module = network.module
    settings.flags.rank = network.rank
    settings.flags.alpha = network.alpha
    settings.flags.dropout = network.dropout
    settings.flags.trainsUNet = !network.trainsTextEncoderOnly && optimizer.unetRate != 0
    settings.flags.trainsTextEncoders =
      !network.trainsUNetOnly && optimizer.trainsTextEncoders
    settings.arguments = network.arguments
    settings.weights = (network.initial ?? network.weights).map { FilePath(named: $0) }
    settings.takesRanksFromWeights = network.takesRanksFromWeights || network.initial != nil
    settings.normLimit = network.normLimit
    return settings
  }

  private func runSettings() -> TrainingConfiguration.Run {
    var settings = TrainingConfiguration.Run()
    settings.steps = run.steps
    settings.epochs = run.epochs
    settings.accumulation = run.accumulation
    settings.checkpointsBlocks = run.checkpointsBlocks
    // nil: that of a state that is resumed, or one that is drawn.
    settings.seed = run.seed
    settings.threads = run.threads
    settings.resumed = run.state.map { FilePath(named: $0) }
    settings.initialEpoch = run.initialEpoch
    settings.initialStep = run.initialStep
    settings.skipsToInitialStep = run.skipsToInitialStep
    settings.largestGradient = optimizer.largestGradient
    settings.averageDecay = optimizer.averageDecay
    settings.validationSeed = run.validationSeed
    settings.validationSteps = run.validationSteps
    settings.validationEpochs = run.validationEpochs
    settings.mostValidationBatches = run.mostValidationBatches
    return settings
  }

  private func outputSettings() -> TrainingConfiguration.Output {
    var settings = TrainingConfiguration.Output(
      folder: FilePath(named: output.folder), name: output.name)
    settings.dtype = output.precision?.dtype ?? .f32
    settings.everyEpochs = output.everyEpochs
    settings.everySteps = output.everySteps
    settings.epochRatio = output.epochRatio
    settings.lastEpochs = output.lastEpochs
    settings.lastEpochStates = output.lastEpochStates
    settings.lastSteps = output.lastSteps
    settings.lastStepStates = output.lastStepStates
    settings.savesState = output.savesState
    settings.savesStateAtEnd = output.savesStateAtEnd
    settings.omitsMetadata = output.omitsMetadata
    settings.writer = Suite.release.split(separator: " ").joined(separator: "/")
    settings.comment = output.comment
    for (word, text) in [
      ("title", output.title), ("author", output.author), ("description", output.description),
      ("license", output.license), ("tags", output.tags), ("usage_hint", output.usageHint),
      ("trigger_phrase", output.triggerPhrase), ("merged_from", output.mergedFrom),
    ] {
      settings.description[word] = text
    }
    settings.logFolder = log.writesEvents ? log.folder.map { FilePath(named: $0) } : nil
    settings.logPrefix = log.prefix
    settings.tracker = log.tracker
    settings.table = log.tablePath(for: output.name).map { FilePath(named: $0) }
    settings.page = log.page.map { FilePath(named: $0) }
    return settings
  }

  private func sampleSettings() -> TrainingConfiguration.Samples {
    var settings = TrainingConfiguration.Samples()
    settings.prompts = samples.prompts.map { FilePath(named: $0) }
    settings.everySteps = samples.everySteps
    settings.everyEpochs = samples.everyEpochs
    settings.drawsAtFirst = samples.drawsAtFirst
    settings.sampler = samples.sampler ?? settings.sampler
    return settings
  }

  private func scheduleSettings() -> ScheduleSettings {
    var settings = ScheduleSettings()
    settings.name = optimizer.schedule
    settings.type = optimizer.scheduleType
    settings.warmup = optimizer.warmup
    settings.decay = optimizer.decay
    settings.cycles = optimizer.cycles
    settings.power = optimizer.power
    settings.timescale = optimizer.timescale
    settings.lowestRatio = optimizer.lowestRatio
    settings.arguments = optimizer.scheduleArguments
    return settings
  }

  private func noiseSettings() -> NoiseSettings {
    var settings = NoiseSettings()
    settings.offset = loss.noiseOffset
    settings.drawsOffset = loss.drawsNoiseOffset
    settings.adaptiveScale = loss.adaptiveNoiseScale
    settings.multiresIterations = loss.multiresIterations
    settings.multiresDiscount = loss.multiresDiscount
    settings.inputPerturbation = loss.inputPerturbation
    settings.drawsInputPerturbation = loss.drawsInputPerturbation
    return settings
  }

  private func flowSettings() -> FlowSettings {
    var settings = FlowSettings()
    settings.sampling = TimestepSampling(rawValue: flow.sampling) ?? settings.sampling
    if let weighting = flow.weighting.flatMap(FlowWeighting.init) { settings.weighting = weighting }
    if let shift = flow.shift { settings.shift = shift }
    settings.trainingShift = flow.trainingShift
    settings.prediction = FlowPrediction(rawValue: flow.prediction) ?? settings.prediction
    settings.sigmoidScale = flow.sigmoidScale
    settings.logitMean = flow.logitMean
    settings.logitDeviation = flow.logitDeviation
    settings.modeScale = flow.modeScale
    settings.keepsShape = flow.keepsShape
    settings.bucketCount = flow.bucketCount
    return settings
  }

  private func lossSettings() throws -> LossSettings {
    var settings = LossSettings()
    settings.kind = try LossSettings.kind(named: loss.loss)
    settings.huberSchedule = try LossSettings.huberSchedule(named: loss.huberSchedule)
    settings.huberC = loss.huberC
    settings.huberScale = loss.huberScale
    settings.minSNRGamma = loss.minSNRGamma
    settings.scalesVelocityLikeNoise = loss.scalesVelocityLoss
    settings.velocityLike = loss.velocityLikeLoss
    settings.isDebiased = loss.isDebiased
    settings.predictsVelocity = model.predictsVelocity
    return settings
  }

  private var cachePlace: LatentCacheSettings.Place? {
    if dataset.cachesLatentsToDisk {
      return .disk(LatentCacheSettings.Format(rawValue: dataset.cacheFormat) ?? .npz)
    }
    return dataset.cachesLatents ? .memory : nil
  }
}
