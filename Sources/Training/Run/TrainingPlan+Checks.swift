import Adapters
import Checkpoints
import ModelFamilies
import Pipelines
import Safetensors
import SystemPackage
import Tensors

extension TrainingPlan {
  /// Refuses what would stop the run at its first step, so that a plan is not printed for it.
  /// - Throws: `SettingError` for rates that the optimizer cannot follow, `TrainingError.missingVAE`,
  ///   `.finished`, `StateError` for a state of another run, `ModelLoadingError` for a model, a VAE or adapters
  ///   to merge that do not fit, `DatasetError` for caches that cannot be written, `NetworkError` for an adapter to
  ///   go on from that does not fit, and what opening them throws.
  func checkStart() throws {
    try checkObjective()
    let rates = network.rates(
      unet: configuration.rates.unetRate, textEncoders: configuration.rates.textEncoderRates)
    guard !rates.isEmpty else {
      throw SettingError.combination(
        "nothing is trained: the learning rate is 0; give '--learning_rate', '--unet_lr' or '--text_encoder_lr'"
      )
    }
    try optimizer.optimizer.check(rates: rates)
    try checkBothNetworks()
    try checkSizes()
    try checkKeptText()
    try checkCacheFolders()
    guard
      outline.autoencoder != nil || outline.prepared != nil || images.isDrawn
        || configuration.cache.place?.isDisk ?? false
    else {
      throw TrainingError.missingVAE(base.file.path)
    }
    if let weights { try FilePlacement(of: weights, in: network, base.layout).check(network) }
    guard let state, let folder = configuration.run.resumed else { return }
    try state.check(resumedSettings, optimizer: optimizer.className, arithmetic, in: folder)
    try checkNotFinished(at: state.progress.step)
  }

  /// - Throws: `SettingError` for noise, times and losses that cannot be followed.
  private func checkObjective() throws(SettingError) {
    try configuration.noise.check()
    try configuration.flow.check()
    try configuration.loss.check()
    guard case .flow = outline.prediction else { return }
    if configuration.loss.kind.hasThreshold, configuration.loss.huberSchedule == .snr {
      throw .combination(
        "'--huber_schedule snr' needs a schedule of noise, which \(base.layout.family.title) has not: give "
          + "'constant' or 'exponential'")
    }
    guard !configuration.loss.predictsVelocity else {
      throw .combination(
        "'--v_parameterization': \(base.layout.family.title) finds the flow from latents to noise: remove it"
      )
    }
  }

  /// Refuses what is made of one network's weights where two share what is trained: in the other it would stand in for
  /// weights that it does not come from.
  private func checkBothNetworks() throws(SettingError) {
    guard outline.highNoise != nil else { return }
    func refuse(_ what: String, _ reason: String) -> SettingError {
      .combination(
        "'--dit_high_noise': \(what) \(reason), and there are two: train '--dit' and '--dit_high_noise' in runs of "
          + "their own, or use another algorithm")
    }
    for module in network.modules {
      let name = module.algorithm.name
      if module.algorithm.trainsWeight {
        throw refuse("'algo=\(name)'", "trains the weights of one network")
      }
      if module.isDecomposed {
        throw refuse("'dora_wd=True'", "begins with the lengths of one network's weights")
      }
    }
  }

  /// Refuses pictures that are larger than all that the denoiser knows places of.
  private func checkSizes() throws(SettingError) {
    guard let most = outline.longestSide,
      let size = (images.examples + images.validation).map(\.bucket).max(by: {
        $0.longestSide < $1.longestSide
      }),
      size.longestSide > most
    else { return }
    throw .combination(
      "'--resolution': \(base.layout.family.title) knows places of pictures of at most \(most) pixels a side, found "
        + "\(size): lower it, or '--max_bucket_reso'")
  }

  /// Refuses kept captions that vary or whose encoders are trained.
  private func checkKeptText() throws {
    guard configuration.textCaching != .none else { return }
    let option =
      configuration.textCaching == .disk
      ? "--cache_text_encoder_outputs_to_disk" : "--cache_text_encoder_outputs"
    guard images.fixedCaptions != nil else { throw TrainingError.varyingCaptions(option: option) }
    guard network.textEncoderCount == 0 else {
      throw SettingError.combination(
        "'\(option)': text encoders whose outputs are kept cannot be trained; add '--network_train_unet_only'"
      )
    }
  }

  /// Refuses folders in which caches are to be made and nothing can be written. A plan itself writes nothing.
  private func checkCacheFolders() throws {
    var paths = missingText.map(\.path)
    if case .disk(let format) = configuration.cache.place {
      paths += images.places.lazy.map {
        LatentFile(of: images[$0], format, of: outline.latents).path
      }.filter { !FileListing.exists($0) }
    }
    var known: Set<FilePath> = []
    for path in paths where known.insert(path.folder).inserted {
      if let error = FileListing.refusal(ofWritingIn: path.folder) {
        throw DatasetError.writing(path, error)
      }
    }
  }

  /// Refuses to go on from the last step, unless what is saved at the end is missing or older than the state: the
  /// run was stopped between the two.
  /// - Throws: `TrainingError.finished`
  func checkNotFinished(at step: Int) throws(TrainingError) {
    let last = arithmetic.lastStep(from: start)
    guard step < last || (step == last && !isSavedAtEnd) else { throw .finished(steps: last) }
  }

  /// Whether the last adapter, and the last state if it is asked for, are those of the run that is gone on with.
  private var isSavedAtEnd: Bool {
    let output = configuration.output
    let names = SaveNames(folder: output.folder, name: output.name)
    let (adapter, state) = (names.adapter(.end), names.state(.end))
    guard let resumed = configuration.run.resumed, adapter.kind != nil else {
      return adapter.kind != nil
    }
    // The last state is written after the last adapter, all others before it.
    guard FileIdentity(resumed) != FileIdentity(state) else { return true }
    guard let time = TrainingState.time(of: resumed) else { return true }
    return adapter.modificationTime ?? 0 >= time
      && (!output.savesState && !output.savesStateAtEnd
        || TrainingState.time(of: state) ?? 0 >= time)
  }
}
