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
  ///   to merge that do not fit, `NetworkError` for an adapter to go on from that does not, and what opening
  ///   them throws.
  func checkStart() throws {
    let rates = network.rates(
      unet: configuration.rates.unetRate, textEncoder: configuration.rates.textEncoderRate)
    guard !rates.isEmpty else {
      throw SettingError.combination(
        "nothing is trained: the learning rate is 0; give '--learning_rate', '--unet_lr' or '--text_encoder_lr'"
      )
    }
    try optimizer.optimizer.check(rates: rates)
    guard outline.hasEncoder else { throw TrainingError.missingVAE(base.file.path) }
    if let weights { try FilePlacement(of: weights, in: network, base.layout).check(network) }
    guard let state, let folder = configuration.run.resumed else { return }
    try state.check(resumedSettings, optimizer: optimizer.className, arithmetic, in: folder)
    try checkNotFinished(at: state.progress.step)
  }

  /// Refuses to go on from the last step, unless what is saved at the end is missing: the run was stopped
  /// between the two.
  /// - Throws: `TrainingError.finished`
  func checkNotFinished(at step: Int) throws(TrainingError) {
    let last = arithmetic.lastStep(from: start)
    let output = SaveNames(folder: configuration.output.folder, name: configuration.output.name)
    guard step < last || (step == last && output.adapter(.end).kind == nil) else {
      throw .finished(steps: last)
    }
  }
}
