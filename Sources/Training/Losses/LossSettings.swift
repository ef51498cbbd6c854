package import Sampling

/// What is made of the difference between a prediction and its target.
package struct LossSettings: Equatable, Sendable {
  /// The measure of one element.
  package enum Kind: String, CaseIterable, Sendable {
    /// d²
    case l2
    /// |d|
    case l1
    /// 2c (√(d² + c²) − c)
    case huber
    /// 2 (√(d² + c²) − c)
    case smoothL1 = "smooth_l1"

    /// Whether it turns from squares to distances somewhere.
    var hasThreshold: Bool { self == .huber || self == .smoothL1 }
  }

  /// How the threshold c of `huber` and `smooth_l1` depends on the timestep.
  package enum HuberSchedule: String, CaseIterable, Sendable {
    /// `huberC · huberScale`
    case constant
    /// Falls from 1 to `huberC`, times `huberScale`.
    case exponential
    /// (1 − huberC) / (1 + σ)² + huberC, with σ = √((1 − ᾱ) / ᾱ)
    case snr
  }

  package var kind = Kind.l2
  package var huberSchedule = HuberSchedule.snr
  package var huberC = 0.1
  package var huberScale = 1.0
  /// Bound of the signal-to-noise ratio in the weight of timesteps (Hang et al. 2023).
  package var minSNRGamma: Double?
  /// Whether a loss of velocities is weighted as one of noise.
  package var scalesVelocityLikeNoise = false
  /// How much of the loss as it would be of velocities is added.
  package var velocityLike: Double?
  /// Whether timesteps are weighted by the inverse of the deviation that they leave (debiased estimation).
  package var isDebiased = false
  /// Whether the model predicts velocities.
  package var predictsVelocity = false

  package init() {}

  /// - Throws: `SettingError` for what cannot be followed.
  package func check() throws(SettingError) {
    guard huberC > 0, huberC.isFinite else {
      throw .value(option: "--huber_c", expected: "a number above 0", found: "\(huberC)")
    }
    if let minSNRGamma, !(minSNRGamma >= 0) {
      throw .value(option: "--min_snr_gamma", expected: "0 or more", found: "\(minSNRGamma)")
    }
    if scalesVelocityLikeNoise, !predictsVelocity {
      throw .combination("'--scale_v_pred_loss_like_noise_pred' needs '--v_parameterization'")
    }
    if velocityLike != nil, predictsVelocity {
      throw .combination(
        "'--v_pred_like_loss' is for models that predict noise: remove it or '--v_parameterization'"
      )
    }
  }

  /// The kind of that name.
  package static func kind(named name: String) throws(SettingError) -> Kind {
    guard let kind = Kind(rawValue: name.lowercased()) else {
      throw .name(option: "--loss_type", found: name, known: Kind.allCases.map(\.rawValue))
    }
    return kind
  }

  /// The schedule of that name.
  package static func huberSchedule(named name: String) throws(SettingError) -> HuberSchedule {
    guard let schedule = HuberSchedule(rawValue: name.lowercased()) else {
      throw .name(
        option: "--huber_schedule", found: name, known: HuberSchedule.allCases.map(\.rawValue))
    }
    return schedule
  }

  /// The weight of the loss of a sample, all that applies multiplied.
  package func weight(at timestep: Int, _ schedule: NoiseSchedule) -> Double {
    let snr = Double(schedule.signalToNoise[timestep])
    let bounded = min(snr, 1000)
    var weight = 1.0
    if let gamma = minSNRGamma, gamma != 0 {
      weight *= min(snr, gamma) / (predictsVelocity ? snr + 1 : snr)
    }
    if scalesVelocityLikeNoise { weight *= bounded / (bounded + 1) }
    if let velocityLike { weight *= 1 + velocityLike * (bounded + 1) / bounded }
    if isDebiased { weight *= predictsVelocity ? 1 / (bounded + 1) : 1 / bounded.squareRoot() }
    return weight
  }
}
