import Autograd
import Tensors

/// Adam with decoupled decay of weights, as torch has it; also plain Adam, whose decay is in the gradient.
package struct AdamW: SlotOptimizer {
  private let rule: AdamRule
  package var slots = Slots("exp_avg", "exp_avg_sq")

  /// - Throws: `SettingError`
  init(
    _ arguments: inout KeyedArguments, isDecoupled: Bool = true
  ) throws(SettingError) {
    rule = try AdamRule(&arguments, isDecoupled: isDecoupled)
    arguments.ignore("foreach", "fused", "capturable", "differentiable")
  }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    let rule = rule
    slots.change(groups.withGradients) { slot, moved in
      slot.adam(
        rule, &moved.parameter.value.elements, moved.gradient, rate: rates[moved.group])
    }
  }
}

extension Slot {
  fileprivate mutating func adam(
    _ rule: AdamRule, _ value: inout [Float], _ gradient: [Float], rate: Double
  ) {
    step += 1
    AdamRule.apply(
      rule.factors(step: step, rate: rate), to: &value, gradient, 0..<value.count, first: &first,
      second: &second)
  }
}

extension AdamRule {
  /// - Throws: `SettingError`
  init(_ arguments: inout KeyedArguments, isDecoupled: Bool) throws(SettingError) {
    betas = try arguments.betas(betas)
    epsilon = try arguments.number("eps", epsilon, in: 0...)
    weightDecay = try arguments.number("weight_decay", isDecoupled ? 0.01 : 0, in: 0...)
    self.isDecoupled = isDecoupled
  }
}
