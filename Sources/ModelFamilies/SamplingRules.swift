#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// How a family's trainer draws pictures; what is no rule but a setting is what counts unless the user says else.
package struct SamplingRules: Hashable, Sendable {
  /// Where a flow is asked on its way from noise, before times are shifted.
  package enum Spacing: String, Sendable {
    /// Equal steps from 1 to 0.
    case whole
    /// Equal steps from 1 to the least share of noise that the model was trained with, shifted itself; then 0.
    case trained
  }

  /// nil for what counts for all.
  package var steps: Int?
  /// Of classifier-free guidance; nil for what counts for all.
  package var scale: Double?
  package var spacing: Spacing
  /// How far times are moved toward noise, where that does not go by the size.
  package var shift: Double
  package var meanShift: MeanShift?

  package init(
    steps: Int? = nil, scale: Double? = nil, spacing: Spacing = .whole, shift: Double = 1,
    meanShift: MeanShift? = nil
  ) {
    self.steps = steps
    self.scale = scale
    self.spacing = spacing
    self.shift = shift
    self.meanShift = meanShift
  }

  /// How far times are moved toward noise in a picture.
  /// - Parameter tokens: of its latents.
  package func shift(ofTokens tokens: Int) -> Double {
    meanShift.map { exp($0.mean(ofTokens: Double(tokens))) } ?? shift
  }
}

extension SamplingRules {
  init(_ table: EmbeddedTable) {
    table.expect("steps", "scale", "spacing", "shift", "shift_tokens", "shift_means")
    let common = SamplingRules()
    self.init(
      steps: table.integer(ifAny: "steps"), scale: table.number(ifAny: "scale"),
      spacing: table.word(ifAny: "spacing") ?? common.spacing,
      shift: table.number(ifAny: "shift") ?? common.shift,
      meanShift: table.numbers(ifAny: "shift_tokens").map { tokens in
        guard let means = table.numbers(ifAny: "shift_means"), tokens.count == 2, means.count == 2
        else {
          preconditionFailure("embedded table: expected two 'shift_tokens' and 'shift_means'")
        }
        return MeanShift((tokens[0], means[0]), (tokens[1], means[1]))
      })
  }
}

extension ModelFamily {
  /// How pictures of it are drawn; as of most where the family's file says nothing.
  package var samplingRules: SamplingRules { definition?.sampling ?? SamplingRules() }
}
