import Autograd
import Tensors

/// Gradient descent that finds its learning rate by dual averaging, as dadaptation.
package struct DAdaptSGD: Optimizer {
  private let momentum: Double
  private let weightDecay: Double
  private let growthRate: Double
  /// `x0`: where it began; `s`: the scaled sum of gradients.
  private var slots = Slots("s", "x0")
  private var (d, numerator, firstNorm): (Double, Double, Double)

  /// - Throws: `SettingError`
  init(_ arguments: inout KeyedArguments) throws(SettingError) {
    momentum = try arguments.number("momentum", 0, in: 0...)
    weightDecay = try arguments.number("weight_decay", 0, in: 0...)
    growthRate = try arguments.number("growth_rate", .infinity, in: 1...)
    d = try arguments.number("d0", 1e-6, in: .leastNonzeroMagnitude...)
    (numerator, firstNorm) = (0, 0)
    arguments.ignore("log_every", "fsdp_in_use")
  }

  package var adaptedRate: Double? { d }

  package func check(rates: [Double]) throws(SettingError) {
    try rates.checkCommonRate("DAdaptSGD")
  }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    let rate = rates.max() ?? 0
    let parameters = groups.withGradients
    if firstNorm == 0 { firstNorm = groups.gradientNorm }
    guard firstNorm > 0 else { return }
    let size = d * rate / firstNorm
    var squares = 0.0
    let weightDecay = weightDecay
    let found = slots.change(parameters.filter { rates[$0.group] > 0 }) { slot, moved in
      slot.observe(
        moved.parameter.value.elements, moved.gradient, size: Float(size),
        decay: Float(weightDecay))
    }
    for (product, sum) in found {
      numerator += size * product
      squares += sum
    }
    guard squares > 0 else { return }
    d = max(d, min(2 * numerator / squares.squareRoot(), d * growthRate))
    let known = parameters.filter { slots[existing: $0.parameter] != nil }
    let share = Float(1 - momentum)
    slots.change(known) { slot, moved in
      slot.follow(&moved.parameter.value.elements, share: share)
    }
  }

  package var state: OptimizerState {
    OptimizerState(
      tensors: slots.tensors,
      numbers: ["d": d, "numerator_weighted": numerator, "g0_norm": firstNorm])
  }

  package mutating func restore(
    _ state: OptimizerState, for groups: [ParameterGroup]
  ) throws(OptimizerStateError) {
    (d, numerator) = (try state.number("d"), try state.number("numerator_weighted"))
    firstNorm = try state.number("g0_norm")
    try slots.restore(state, for: groups)
  }
}

extension Slot {
  /// Adds a gradient to the sum.
  /// - Returns: the gradient times the sum before, and the sum's square
  fileprivate mutating func observe(
    _ value: [Float], _ gradient: [Float], size: Float, decay: Float
  ) -> (product: Double, square: Double) {
    if step == 0 { second = value }
    step += 1
    precondition(value.count == gradient.count && value.count == first.count)
    let (p, g) = (value.span, gradient.span)
    var s = first.mutableSpan
    var (product, square) = (0.0, 0.0)
    for i in 0..<g.count {
      let slope = unsafe g[unchecked: i] + decay * p[unchecked: i]
      let sum = unsafe s[unchecked: i]
      product += Double(slope) * Double(sum)
      let next = sum + slope * size
      unsafe s[unchecked: i] = next
      square += Double(next) * Double(next)
    }
    return (product, square)
  }

  /// p ← (1 − share) p + share (x₀ − s)
  fileprivate func follow(_ value: inout [Float], share: Float) {
    precondition(value.count == first.count && value.count == second.count)
    let (s, start) = (first.span, second.span)
    var p = value.mutableSpan
    for i in 0..<p.count {
      unsafe p[unchecked: i] =
        p[unchecked: i] * (1 - share) + share * (start[unchecked: i] - s[unchecked: i])
    }
  }
}
