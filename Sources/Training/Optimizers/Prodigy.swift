import Autograd
import CKernels
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Adam that finds its learning rate as it goes, from how far parameters are from where they began (Mishchenko
/// and Defazio 2023), as prodigyopt.
package struct Prodigy: Optimizer {
  private let rule: AdamRule
  private let beta3: Double
  private let correctsBias: Bool
  private let safeguardsWarmup: Bool
  private let initialRate: Double
  private let coefficient: Double
  private let growthRate: Double
  /// Only every so manieth element takes part in finding the rate.
  private let stride: Int
  private var slots = Slots("exp_avg", "exp_avg_sq", "s", "p0")
  private var (d, largest, numerator, count): (Double, Double, Double, Int)

  /// - Throws: `SettingError`
  init(_ arguments: inout KeyedArguments) throws(SettingError) {
    rule = try AdamRule(&arguments, standardDecay: 0, decouples: true)
    beta3 = try arguments.optionalNumber("beta3", in: 0...) ?? rule.betas.1.squareRoot()
    correctsBias = try arguments.flag("use_bias_correction", false)
    safeguardsWarmup = try arguments.flag("safeguard_warmup", false)
    initialRate = try arguments.number("d0", 1e-6, in: .leastNonzeroMagnitude...)
    coefficient = try arguments.number("d_coef", 1, in: 0...)
    growthRate = try arguments.number("growth_rate", .infinity, in: 1...)
    stride = try arguments.integer("slice_p", 1, in: 1...)
    arguments.ignore("fsdp_in_use")
    (d, largest, numerator, count) = (initialRate, initialRate, 0, 0)
  }

  package var adaptedRate: Double? { d }

  package func check(rates: [Double]) throws(SettingError) {
    try rates.checkCommonRate("Prodigy")
  }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    let rate = rates.max() ?? 0
    let (rule, beta3, stride, before) = (rule, beta3, stride, d)
    let step = d * rate * rule.biasCorrection(correctsBias, step: count + 1)
    let parameters = groups.withGradients
    var (sum, magnitude) = (0.0, 0.0)
    let share = (d / initialRate) * (safeguardsWarmup ? d : step)
    let products = slots.change(parameters.filter { rates[$0.group] > 0 }) { slot, moved in
      slot.observe(
        moved.parameter.value.elements, moved.gradient, rule, d: before, beta3: Float(beta3),
        share: Float(share), stride: stride)
    }
    for (product, total) in products {
      sum += (d / initialRate) * step * product
      magnitude += total
    }
    guard magnitude > 0 else { return }
    numerator = numerator * beta3 + sum
    if rate > 0 {
      let found = coefficient * numerator / magnitude
      if d == initialRate { d = max(d, found) }
      largest = max(largest, found)
      d = min(largest, d * growthRate)
    }
    let (known, adapted) = (parameters.filter { slots[existing: $0.parameter] != nil }, d)
    slots.change(known) { slot, moved in
      slot.step += 1
      slot.move(
        &moved.parameter.value.elements, epsilon: Float(adapted * rule.epsilon), size: Float(step),
        decay: rule.isDecoupled ? Float(rule.weightDecay * step) : 0)
    }
    count += 1
  }

  package var state: OptimizerState {
    OptimizerState(
      tensors: slots.tensors,
      numbers: ["d": d, "d_max": largest, "d_numerator": numerator, "k": Double(count)])
  }

  package mutating func restore(
    _ state: OptimizerState, for groups: [ParameterGroup]
  ) throws(OptimizerStateError) {
    (d, largest) = (try state.number("d"), try state.number("d_max"))
    (numerator, count) = (try state.number("d_numerator"), try state.count("k"))
    let stride = stride
    try slots.restore(state, for: groups) { field, parameter in
      field < 2 ? nil : (parameter.value.count + stride - 1) / stride
    }
  }
}

extension AdamRule {
  /// Of optimizers that find their rate: decay is 0 if not given, and may be in the gradient.
  /// - Throws: `SettingError`
  init(
    _ arguments: inout KeyedArguments, standardDecay: Double, decouples: Bool
  ) throws(SettingError) {
    betas = try arguments.betas(betas)
    epsilon = try arguments.number("eps", epsilon, in: .leastNonzeroMagnitude...)
    weightDecay = try arguments.number("weight_decay", standardDecay, in: 0...)
    isDecoupled = try arguments.flag("decouple", decouples)
  }

  /// By which a step is multiplied while averages are young.
  /// - Parameter step: counted from 1
  func biasCorrection(_ isOn: Bool, step: Int) -> Double {
    guard isOn else { return 1 }
    return (1 - pow(betas.1, Double(step))).squareRoot() / (1 - pow(betas.0, Double(step)))
  }

  /// What of the weight is in its gradient.
  var coupledDecay: Float { isDecoupled ? 0 : Float(weightDecay) }
}

extension Slot {
  /// Takes a gradient into the averages.
  /// - Returns: the gradient times the way from the start, and the sum of magnitudes of `s`
  fileprivate mutating func observe(
    _ value: [Float], _ gradient: [Float], _ rule: AdamRule, d: Double, beta3: Float, share: Float,
    stride: Int
  ) -> (product: Double, magnitude: Double) {
    let sliced = Swift.stride(from: 0, to: value.count, by: stride)
    if step == 0 {
      fourth = sliced.map { value[$0] }
      third = [Float](repeating: 0, count: fourth.count)
    }
    precondition(value.count == gradient.count && value.count == first.count)
    let decay = rule.coupledDecay
    let (a, b) = (Float(rule.betas.0), Float(d * (1 - rule.betas.0)))
    let (e, f) = (Float(rule.betas.1), Float(d * d * (1 - rule.betas.1)))
    withMutableSpans(&first, &second) { m, v in
      let (p, g) = (value.span, gradient.span)
      for i in 0..<g.count {
        let slope = unsafe g[unchecked: i] + decay * p[unchecked: i]
        unsafe m[unchecked: i] = m[unchecked: i] * a + slope * b
        unsafe v[unchecked: i] = v[unchecked: i] * e + slope * slope * f
      }
    }
    var (product, magnitude) = (0.0, 0.0)
    withMutableSpans(&third, &fourth) { s, start in
      let (p, g) = (value.span, gradient.span)
      for (i, j) in sliced.enumerated() {
        let slope = unsafe g[unchecked: j] + decay * p[unchecked: j]
        unsafe product += Double(slope) * Double(start[unchecked: i] - p[unchecked: j])
        let next = unsafe s[unchecked: i] * beta3 + slope * share
        unsafe s[unchecked: i] = next
        magnitude += Double(abs(next))
      }
    }
    return (product, magnitude)
  }

  /// p ← p − decay · p − size · mean / (√square + epsilon)
  mutating func move(_ value: inout [Float], epsilon: Float, size: Float, decay: Float) {
    precondition(value.count == first.count && value.count == second.count)
    unsafe value.withUnsafeMutableBufferPointer { value in
      unsafe first.withUnsafeBufferPointer { first in
        unsafe second.withUnsafeBufferPointer { second in
          guard let p = value.baseAddress, let m = first.baseAddress, let v = second.baseAddress
          else { return }
          unsafe lyco_adam_move(p, m, v, value.count, size, epsilon, decay)
        }
      }
    }
  }
}
