import Autograd
import Tensors

/// Adam that finds its learning rate by dual averaging (Defazio and Mishchenko 2023), as dadaptation.
package struct DAdaptAdam: Optimizer {
  private let rule: AdamRule
  private let correctsBias: Bool
  private let growthRate: Double
  private var slots = Slots("exp_avg", "exp_avg_sq", "s")
  private var (d, numerator, count): (Double, Double, Int)

  /// - Throws: `SettingError`
  init(_ arguments: inout KeyedArguments) throws(SettingError) {
    rule = try AdamRule(&arguments, standardDecay: 0, decouples: false)
    correctsBias = try arguments.flag("use_bias_correction", false)
    growthRate = try arguments.number("growth_rate", .infinity, in: 1...)
    d = try arguments.number("d0", 1e-6, in: .leastNonzeroMagnitude...)
    (numerator, count) = (0, 0)
    arguments.ignore("log_every", "fsdp_in_use")
  }

  package var adaptedRate: Double? { d }

  package func check(rates: [Double]) throws(SettingError) {
    try rates.checkCommonRate("DAdaptAdam")
  }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    let rate = rates.max() ?? 0
    let rule = rule
    let step = d * rate * rule.biasCorrection(correctsBias, step: count + 1)
    let kept = rule.betas.1.squareRoot()
    let parameters = groups.withGradients
    var (sum, magnitude) = (0.0, 0.0)
    let found = slots.change(parameters.filter { rates[$0.group] > 0 }) { slot, moved in
      slot.observe(
        moved.parameter.value.elements, moved.gradient, rule, step: step, kept: kept)
    }
    for (product, total) in found {
      sum += step * product
      magnitude += total
    }
    guard magnitude > 0 else { return }
    numerator = kept * numerator + (1 - kept) * sum
    if rate > 0 {
      d = max(d, min(numerator / ((1 - kept) * magnitude), d * growthRate))
    }
    let known = parameters.filter { slots[existing: $0.parameter] != nil }
    slots.change(known) { slot, moved in
      slot.step += 1
      slot.move(
        &moved.parameter.value.elements, epsilon: Float(rule.epsilon), size: 1,
        decay: rule.isDecoupled ? Float(rule.weightDecay * step) : 0)
    }
    count += 1
  }

  package var state: OptimizerState {
    OptimizerState(
      tensors: slots.tensors,
      numbers: ["d": d, "numerator_weighted": numerator, "k": Double(count)])
  }

  package mutating func restore(
    _ state: OptimizerState, for groups: [ParameterGroup]
  ) throws(OptimizerStateError) {
    (d, numerator) = (try state.number("d"), try state.number("numerator_weighted"))
    count = try state.count("k")
    try slots.restore(state, for: groups)
  }
}

extension Slot {
  /// Takes a gradient into the averages.
  /// - Returns: the gradient times the scaled sum of those before, and the sum of magnitudes of `s`
  fileprivate mutating func observe(
    _ value: [Float], _ gradient: [Float], _ rule: AdamRule, step: Double, kept: Double
  ) -> (product: Double, magnitude: Double) {
    precondition(value.count == gradient.count && value.count == first.count)
    let (decay, epsilon) = (rule.coupledDecay, Float(rule.epsilon))
    let (a, b) = (Float(rule.betas.0), Float(step * (1 - rule.betas.0)))
    let (e, f) = (Float(rule.betas.1), Float(1 - rule.betas.1))
    let (keep, share) = (Float(kept), Float(step * (1 - kept)))
    var (product, magnitude) = (0.0, 0.0)
    withMutableSpans(&first, &second, &third) { m, v, s in
      let (p, g) = (value.span, gradient.span)
      for i in 0..<g.count {
        let slope = unsafe g[unchecked: i] + decay * p[unchecked: i]
        let (square, sum) = unsafe (v[unchecked: i], s[unchecked: i])
        product += Double(slope) * Double(sum / (square.squareRoot() + epsilon))
        unsafe m[unchecked: i] = m[unchecked: i] * a + slope * b
        unsafe v[unchecked: i] = square * e + slope * slope * f
        let next = sum * keep + slope * share
        unsafe s[unchecked: i] = next
        magnitude += Double(abs(next))
      }
    }
    return (product, magnitude)
  }
}
