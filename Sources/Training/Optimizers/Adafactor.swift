import Autograd
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Adam with averages of squares for rows and columns alone (Shazeer and Stern 2018), as transformers.
package struct Adafactor: Optimizer {
  private let settings: Settings
  private var slots = Slots("exp_avg_sq_row", "exp_avg_sq_col", "exp_avg")

  fileprivate struct Settings {
    let epsilons: (Double, Double)
    let clipThreshold: Double
    let decayRate: Double
    let beta: Double?
    let weightDecay: Double
    let scalesByParameter: Bool
    let isRelative: Bool
    let warmsUp: Bool
  }

  /// - Throws: `SettingError`
  init(_ arguments: inout KeyedArguments) throws(SettingError) {
    settings = try Settings(&arguments)
  }

  /// Whether rates come from the number of steps; the learning rate and its schedule then have no effect.
  package var schedulesItself: Bool { settings.isRelative }

  package func effectiveRates(_ groups: [ParameterGroup], rates: [Double]) -> [Double] {
    zip(groups, rates).map { group, rate in
      guard let parameter = group.parameters.first else { return rate }
      let step = slots[existing: parameter]?.step ?? 0
      return step == 0
        ? rate : settings.rate(step, parameter.value.rootMeanSquare, given: rate)
    }
  }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    let settings = settings
    slots.change(groups.withGradients, counts: settings.counts) { slot, moved in
      let (group, parameter, gradient) = moved
      let form = FactoredForm(parameter.value.shape)
      slot.step += 1
      let rate = settings.rate(slot.step, parameter.value.rootMeanSquare, given: rates[group])
      let kept = 1 - pow(Double(slot.step), settings.decayRate)
      var update = form.scaled(
        Tensor(parameter.value.shape, gradient), bySquaresOf: gradient, kept: kept,
        epsilon: Float(settings.epsilons.0), &slot.first, &slot.second)
      update.scale(
        by: Float(rate / max(1, update.rootMeanSquare / settings.clipThreshold)))
      if let beta = settings.beta {
        var average = Tensor(update.shape, slot.third)
        average.scale(by: Float(beta))
        average.add(update, times: Float(1 - beta))
        slot.third = average.elements
        update = average
      }
      if settings.weightDecay != 0 {
        update.add(parameter.value, times: Float(settings.weightDecay * rate))
      }
      parameter.value.subtract(update)
    }
  }

  package var state: OptimizerState { OptimizerState(tensors: slots.tensors) }

  package mutating func restore(
    _ state: OptimizerState, for groups: [ParameterGroup]
  ) throws(OptimizerStateError) {
    var restored = slots
    try restored.restore(state, for: groups) { field, parameter in
      settings.counts(of: parameter)[field]
    }
    slots = restored
  }
}

extension Adafactor.Settings {
  /// - Throws: `SettingError`
  fileprivate init(_ arguments: inout KeyedArguments) throws(SettingError) {
    epsilons = try arguments.pair("eps", (1e-30, 1e-3))
    clipThreshold = try arguments.number("clip_threshold", 1, in: 0...)
    decayRate = try arguments.number("decay_rate", -0.8, in: (-.infinity)...)
    beta = try arguments.optionalNumber("beta1", in: 0...)
    weightDecay = try arguments.number("weight_decay", 0, in: 0...)
    scalesByParameter = try arguments.flag("scale_parameter", true)
    isRelative = try arguments.flag("relative_step", true)
    warmsUp = try arguments.flag("warmup_init", false)
    if warmsUp, !isRelative {
      throw .combination("Adafactor: warmup_init=True needs relative_step=True")
    }
  }

  fileprivate func rate(_ step: Int, _ magnitude: Double, given: Double) -> Double {
    let bound = warmsUp ? 1e-6 * Double(step) : 1e-2
    let rate = isRelative ? min(bound, 1 / Double(step).squareRoot()) : given
    return scalesByParameter ? rate * max(epsilons.1, magnitude) : rate
  }

  /// How many numbers each field has.
  fileprivate func counts(of parameter: Parameter) -> [Int] {
    let form = FactoredForm(parameter.value.shape)
    return [form.rowCount, form.columnCount, beta == nil ? 0 : parameter.value.count]
  }
}
