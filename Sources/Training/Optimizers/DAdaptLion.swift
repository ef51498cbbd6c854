import Autograd
import Tensors

/// Lion that finds its learning rate by dual averaging, as dadaptation.
package struct DAdaptLion: Optimizer {
  private let betas: (Double, Double)
  private let weightDecay: Double
  private var slots = Slots("exp_avg", "s")
  private var (d, numerator): (Double, Double)

  /// - Throws: `SettingError`
  init(_ arguments: inout KeyedArguments) throws(SettingError) {
    betas = try arguments.betas((0.9, 0.99))
    weightDecay = try arguments.number("weight_decay", 0, in: 0...)
    d = try arguments.number("d0", 1e-6, in: .leastNonzeroMagnitude...)
    numerator = 0
    arguments.ignore("log_every", "fsdp_in_use")
  }

  package var adaptedRate: Double? { d }

  package func check(rates: [Double]) throws(SettingError) {
    try rates.checkCommonRate("DAdaptLion")
  }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    let rate = rates.max() ?? 0
    let step = d * rate
    let (betas, weightDecay) = (betas, weightDecay)
    let kept = betas.1.squareRoot()
    var (sum, magnitude) = (0.0, 0.0)
    let found = slots.change(groups.withGradients) { slot, moved in
      slot.move(
        &moved.parameter.value.elements, moved.gradient, betas, step: step, kept: kept,
        keep: Float(1 - step * weightDecay))
    }
    for (product, total) in found {
      sum += step * product
      magnitude += total
    }
    numerator = kept * numerator + (1 - kept) * sum
    guard magnitude > 0, rate > 0 else { return }
    d = max(d, numerator / ((1 - kept) * magnitude))
  }

  package var state: OptimizerState {
    OptimizerState(tensors: slots.tensors, numbers: ["d": d, "numerator_weighted": numerator])
  }

  package mutating func restore(
    _ state: OptimizerState, for groups: [ParameterGroup]
  ) throws(OptimizerStateError) {
    (d, numerator) = (try state.number("d"), try state.number("numerator_weighted"))
    try slots.restore(state, for: groups)
  }
}

extension Slot {
  /// - Returns: the step's direction times the sum of those before, and the sum of magnitudes of `s`
  fileprivate mutating func move(
    _ value: inout [Float], _ gradient: [Float], _ betas: (Double, Double), step size: Double,
    kept: Double, keep: Float
  ) -> (product: Double, magnitude: Double) {
    step += 1
    precondition(value.count == gradient.count && value.count == first.count)
    let (a, b) = (Float(betas.0), Float(1 - betas.0))
    let (c, e) = (Float(betas.1), Float((1 - betas.1) * size))
    let (f, h, rate) = (Float(kept), Float((1 - kept) * size), Float(size))
    var signs = [Float](repeating: 0, count: value.count)
    withMutableSpans(&value, &first, &signs) { p, m, signs in
      let g = gradient.span
      for i in 0..<g.count {
        let (slope, mean) = unsafe (g[unchecked: i], m[unchecked: i])
        let direction = mean * a + slope * b
        let sign: Float = (direction > 0 ? 1 : 0) - (direction < 0 ? 1 : 0)
        unsafe signs[unchecked: i] = sign
        unsafe p[unchecked: i] = p[unchecked: i] * keep - rate * sign
        unsafe m[unchecked: i] = mean * c + slope * e
      }
    }
    // Sums have an order, so they are taken apart from what goes in vectors.
    var (product, magnitude) = (0.0, 0.0)
    withMutableSpans(&second, &signs) { s, signs in
      for i in 0..<s.count {
        let (sum, sign) = unsafe (s[unchecked: i], signs[unchecked: i])
        product += Double(sign * sum)
        let next = sum * f + sign * h
        unsafe s[unchecked: i] = next
        magnitude += Double(abs(next))
      }
    }
    return (product, magnitude)
  }
}
