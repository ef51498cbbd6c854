/// How a family's trainer draws times, tells and weighs them, where the model finds the flow from latents to noise; what
/// is no rule but a setting is what counts unless the user says else.
///
/// Without a table of a family they are musubi-tuner's.
package struct FlowRules: Hashable, Sendable {
  /// What whole timesteps of the sampling `sigma` are.
  package enum Steps: String, Sendable {
    /// σ = 1 − i / 1000, whatever the shift; a density of i is heavy where it is near noise.
    case even
    /// The same, shifted.
    case shifted
    /// σ = i / 1000, of a density that is shifted by a setting of its own and is heavy where it is near noise.
    case dense
  }

  /// What a prediction is made into before it is compared.
  package enum Compared: String, Sendable {
    /// Nothing: a flow with the flow.
    case flow
    /// x − σ · prediction, with the latents.
    case latents
  }

  /// Of which losses `--weighting_scheme` is a factor.
  package enum Weighed: String, Sendable {
    case all
    /// Of what a preconditioned prediction gives, `--model_prediction_type sigma_scaled`.
    case preconditioned
  }

  /// What is added to 1000 times the share of noise where that is no whole timestep.
  package var timeOffset: Double
  package var steps: Steps
  /// `--discrete_flow_shift`
  package var shift: Double
  package var compared: Compared
  package var weighed: Weighed
  /// `--weighting_scheme`
  package var weighting: String
  /// What a model that was distilled is told, `--guidance_scale`.
  package var guidance: Double
  /// Whether pictures that are seen beside are told to have no noise.
  package var showsAtTimeZero: Bool

  package init(
    timeOffset: Double = 1, steps: Steps = .even, shift: Double = 1, compared: Compared = .flow,
    weighed: Weighed = .all, weighting: String = "none", guidance: Double = 1,
    showsAtTimeZero: Bool = false
  ) {
    self.timeOffset = timeOffset
    self.steps = steps
    self.shift = shift
    self.compared = compared
    self.weighed = weighed
    self.weighting = weighting
    self.guidance = guidance
    self.showsAtTimeZero = showsAtTimeZero
  }
}

extension FlowRules {
  init(_ table: EmbeddedTable) {
    table.expect(
      "time_offset", "steps", "shift", "compared", "weighed", "weighting", "guidance",
      "shown_at_time_zero", "variants")
    let common = FlowRules()
    self.init(
      timeOffset: table.number(ifAny: "time_offset") ?? common.timeOffset,
      steps: table.word(ifAny: "steps") ?? common.steps,
      shift: table.number(ifAny: "shift") ?? common.shift,
      compared: table.word(ifAny: "compared") ?? common.compared,
      weighed: table.word(ifAny: "weighed") ?? common.weighed,
      weighting: table.string(ifAny: "weighting") ?? common.weighting,
      guidance: table.number(ifAny: "guidance") ?? common.guidance,
      showsAtTimeZero: table.bool(ifAny: "shown_at_time_zero") ?? common.showsAtTimeZero)
  }
}
