/// What the loss of a sample counts by its share of noise, and how timesteps of `TimestepSampling.sigma` lie.
///
/// Source: Esser et al. 2024 (Stable Diffusion 3), as diffusers has it in `training_utils.py`.
package enum FlowWeighting: String, CaseIterable, Sendable {
  case none
  case uniform
  case logitNormal = "logit_normal"
  case mode
  case cosmap
  case sigmaSqrt = "sigma_sqrt"

  /// Of the loss.
  /// - Parameter sigma: the share of noise, above 0 up to 1.
  func weight(at sigma: Double) -> Double {
    switch self {
    case .sigmaSqrt: 1 / (sigma * sigma)
    case .cosmap: 2 / (.pi * (1 - 2 * sigma + 2 * sigma * sigma))
    case .none, .uniform, .logitNormal, .mode: 1
    }
  }
}
