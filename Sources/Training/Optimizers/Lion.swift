import Autograd
import Tensors

/// Steps of one size in the direction of the sign of a moving average (Chen et al. 2023), as lion-pytorch.
package struct Lion: SlotOptimizer {
  private let betas: (Double, Double)
  private let weightDecay: Double
  package var slots = Slots("exp_avg")

  /// - Throws: `SettingError`
  init(_ arguments: inout KeyedArguments) throws(SettingError) {
    betas = try arguments.betas((0.9, 0.99))
    weightDecay = try arguments.number("weight_decay", 0, in: 0...)
    arguments.ignore("use_triton")
  }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    let (betas, weightDecay) = (betas, weightDecay)
    slots.change(groups.withGradients) { slot, moved in
      let rate = rates[moved.group]
      slot.lion(
        &moved.parameter.value.elements, moved.gradient, betas: betas,
        keep: 1 - rate * weightDecay, rate: rate)
    }
  }
}

extension Slot {
  fileprivate mutating func lion(
    _ value: inout [Float], _ gradient: [Float], betas: (Double, Double), keep: Double,
    rate: Double
  ) {
    step += 1
    precondition(value.count == gradient.count && value.count == first.count)
    let (keep, rate) = (Float(keep), Float(rate))
    let (a, b) = (Float(betas.0), Float(1 - betas.0))
    let (c, d) = (Float(betas.1), Float(1 - betas.1))
    let g = gradient.span
    var p = value.mutableSpan
    var m = first.mutableSpan
    for i in 0..<g.count {
      let (slope, mean) = unsafe (g[unchecked: i], m[unchecked: i])
      let direction = mean * a + slope * b
      let sign: Float = (direction > 0 ? 1 : 0) - (direction < 0 ? 1 : 0)
      unsafe p[unchecked: i] = p[unchecked: i] * keep - rate * sign
      unsafe m[unchecked: i] = mean * c + slope * d
    }
  }
}
