package import ModelFamilies

/// How times are drawn and weighed where a model finds the flow from latents to noise.
package struct FlowSettings: Equatable, Sendable {
  /// Those of the family's trainer, which count where nothing is chosen.
  package var rules = FlowRules()
  package var sampling = TimestepSampling.sigma
  private var chosenWeighting: FlowWeighting?
  private var chosenShift: Double?
  /// What a prediction is made into before it is compared.
  package var prediction = FlowPrediction.raw
  /// Of the densities of timesteps where the rules have `FlowRules.Steps.dense`.
  package var trainingShift = 1.0
  /// What normal numbers are multiplied by before the sigmoid.
  package var sigmoidScale = 1.0
  package var logitMean = 0.0
  package var logitDeviation = 1.0
  package var modeScale = 1.29
  /// Shares of noise in thousandths between which samples lie: 0 is no noise.
  package var range = 0.0...1000.0
  /// Whether the distribution is cut off at the range rather than pressed into it.
  package var keepsShape = false
  /// Equal parts of the distribution, where it is cut off of what is left, from each of which as many samples of an
  /// epoch are drawn; nil for none.
  package var bucketCount: Int?

  package init() {}

  package var weighting: FlowWeighting {
    get { chosenWeighting ?? FlowWeighting(rawValue: rules.weighting) ?? .none }
    set { chosenWeighting = newValue }
  }

  /// Of `TimestepSampling.shift`, and of `sigma` where the rules have `FlowRules.Steps.shifted`.
  package var shift: Double {
    get { chosenShift ?? rules.shift }
    set { chosenShift = newValue }
  }

  /// Whether a shift was chosen.
  package var hasOwnShift: Bool { chosenShift != nil }

  /// The share of noise by which the loss is weighed: that of the nearest whole timestep where the rules have such.
  func sigma(at time: Float) -> Double {
    let time = rules.steps == .shifted ? Double(time) : Double(time.rounded())
    return min(max(time, 1), 1000) / 1000
  }

  /// Whether the loss counts by `weighting`.
  package var weighsLoss: Bool { rules.weighed == .all || prediction == .sigmaScaled }

  /// Bounds of `range` as options give them.
  /// - Throws: `SettingError.value`
  package static func range(from first: Int?, to last: Int?) throws(SettingError) -> ClosedRange<
    Double
  > {
    let (first, last) = (first ?? 0, last ?? 1000)
    guard 0...1000 ~= first else {
      throw .value(option: "--min_timestep", expected: "0 to 1000", found: "\(first)")
    }
    guard first...1000 ~= last else {
      throw .value(
        option: "--max_timestep", expected: "--min_timestep (\(first)) to 1000", found: "\(last)")
    }
    return Double(first)...Double(last)
  }

  /// - Throws: `SettingError` for what cannot be followed.
  package func check() throws(SettingError) {
    let positive: [(name: String, value: Double)] = [
      ("discrete_flow_shift", shift), ("training_shift", trainingShift),
      ("logit_std", logitDeviation),
    ]
    for (name, value) in positive where !(value > 0 && value.isFinite) {
      throw .value(option: "--\(name)", expected: "a number above 0", found: "\(value)")
    }
    let finite: [(name: String, value: Double)] = [
      ("sigmoid_scale", sigmoidScale), ("logit_mean", logitMean), ("mode_scale", modeScale),
    ]
    for (name, value) in finite where !value.isFinite {
      throw .value(option: "--\(name)", expected: "a number", found: "\(value)")
    }
    if let bucketCount, bucketCount < 1 {
      throw .value(option: "--num_timestep_buckets", expected: "1 or more", found: "\(bucketCount)")
    }
  }
}
