import Autograd
import Tensors

/// Gradient descent with momentum, as torch has it.
package struct SGD: SlotOptimizer {
  private let momentum: Double
  private let dampening: Double
  private let weightDecay: Double
  private let isNesterov: Bool
  package var slots = Slots("momentum_buffer")

  /// - Parameter isNesterov: whether the momentum of the next step is in this one; then it is 0.9 if not given
  /// - Throws: `SettingError`
  init(_ arguments: inout KeyedArguments, isNesterov: Bool) throws(SettingError) {
    momentum = try arguments.number("momentum", isNesterov ? 0.9 : 0, in: 0...)
    dampening = try arguments.number("dampening", 0, in: 0...)
    weightDecay = try arguments.number("weight_decay", 0, in: 0...)
    self.isNesterov = try arguments.flag("nesterov", isNesterov)
    arguments.ignore("foreach", "fused", "differentiable")
    if self.isNesterov, momentum == 0 || dampening != 0 {
      throw .combination("SGD: nesterov needs a momentum above 0 and a dampening of 0")
    }
  }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    let (momentum, dampening) = (momentum, dampening)
    let (weightDecay, isNesterov) = (weightDecay, isNesterov)
    slots.change(groups.withGradients) { slot, moved in
      slot.descend(
        &moved.parameter.value.elements, moved.gradient, rate: Float(rates[moved.group]),
        momentum: Float(momentum), growth: Float(1 - dampening), decay: Float(weightDecay),
        isNesterov: isNesterov)
    }
  }
}

extension Slot {
  fileprivate mutating func descend(
    _ value: inout [Float], _ gradient: [Float], rate: Float, momentum: Float, growth: Float,
    decay: Float, isNesterov: Bool
  ) {
    // The first gradient counts in full.
    let growth = step == 0 ? 1 : growth
    step += 1
    precondition(value.count == gradient.count && value.count == first.count)
    let g = gradient.span
    var p = value.mutableSpan
    var m = first.mutableSpan
    for i in 0..<g.count {
      let x = unsafe p[unchecked: i]
      let slope = unsafe g[unchecked: i] + decay * x
      let mean = unsafe m[unchecked: i] * momentum + slope * growth
      unsafe m[unchecked: i] = mean
      unsafe p[unchecked: i] = x - rate * (isNesterov ? slope + momentum * mean : mean)
    }
  }
}
