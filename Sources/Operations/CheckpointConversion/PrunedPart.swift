import ModelFamilies

/// What a checkpoint can be written without.
package enum PrunedPart: String, CaseIterable, Sendable {
  /// Moving averages of the weights: `model_ema.…`.
  case ema
  /// What only goes on with a training run: states of optimizers, schedules and loops.
  case optimizer
  /// Whatever is neither a weight of the model nor a marker that tells loaders how to use it: the two
  /// above, loss networks, noise schedules that loaders compute themselves.
  case nonModel = "non-model"

  /// Where moving averages stand in a checkpoint of the original training code.
  static let averagePrefix = "model_ema."

  /// First parts of keys in checkpoints of Lightning, accelerate and plain training loops.
  private static let trainingPrefixes: Set<String> = [
    "optimizer", "optimizers", "optimizer_states", "optimizer_state", "optimizer_state_dict",
    "lr_scheduler", "lr_schedulers", "lr_scheduler_state_dict", "callbacks", "loops", "grad_scaler",
    "scaler", "amp_scaler", "random_states", "rng_state", "native_amp_scaling_state",
  ]

  /// Tensors without numbers whose presence tells a loader how the model is to be used.
  private static func isMarker(_ key: String) -> Bool {
    let name = key.split(separator: "/").last.map(String.init) ?? key
    return ["v_pred", "ztsnr"].contains(name) || name.hasPrefix("edm_")
      || name.hasPrefix("model.model_sampling.") || name.hasSuffix("scaled_fp8")
  }

  /// Whether the tensor is left out.
  /// - Parameter layout: of the checkpoint it stands in.
  func drops(_ key: String, of layout: ModelLayout) -> Bool {
    switch self {
    case .ema: return key.hasPrefix(Self.averagePrefix)
    case .optimizer:
      return Self.trainingPrefixes.contains(String(key.prefix { $0 != "." && $0 != "/" }))
    case .nonModel:
      guard !Self.isMarker(key) else { return false }
      let component = layout.component(ofKey: key)
      return component.map { ["ema", "sampling"].contains($0) } ?? true
    }
  }
}
