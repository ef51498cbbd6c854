import Autograd
import Tensors

/// Adafactor's step, averaged, and larger where it varies little (Luo et al. 2023), as came-pytorch.
///
/// Matrices keep sums of rows and columns of squared gradients, and of how far steps are from their average.
package struct CAME: Optimizer {
  private let betas: (Double, Double, Double)
  private let epsilons: (Double, Double)
  private let clipThreshold: Double
  private let weightDecay: Double
  private var slots = Slots(
    "exp_avg", "exp_avg_sq_row", "exp_avg_sq_col", "exp_avg_res_row", "exp_avg_res_col")

  /// - Throws: `SettingError`
  init(_ arguments: inout KeyedArguments) throws(SettingError) {
    betas = try arguments.triple("betas", (0.9, 0.999, 0.9999))
    guard [betas.0, betas.1, betas.2].allSatisfy({ (0..<1).contains($0) }) else {
      throw .value(
        option: "--optimizer_args betas", expected: "three numbers from 0 up to below 1",
        found: "\(betas.0),\(betas.1),\(betas.2)")
    }
    let epsilons = try arguments.pair("eps", (1e-30, 1e-16))
    // pytorch-optimizer's names of the two.
    self.epsilons = (
      try arguments.number("eps1", epsilons.0, in: 0...),
      try arguments.number("eps2", epsilons.1, in: 0...)
    )
    clipThreshold = try arguments.number("clip_threshold", 1, in: .leastNonzeroMagnitude...)
    weightDecay = try arguments.number("weight_decay", 0, in: 0...)
  }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    let (betas, epsilons, clipThreshold) = (betas, epsilons, clipThreshold)
    let weightDecay = weightDecay
    slots.change(groups.withGradients, counts: Self.counts) { slot, moved in
      let (group, parameter, gradient) = moved
      let form = FactoredForm(parameter.value.shape)
      slot.step += 1
      let squares = Tensor(parameter.value.shape, gradient)
      var update = form.scaled(
        squares, bySquaresOf: gradient, kept: betas.1, epsilon: Float(epsilons.0),
        &slot.second, &slot.third)
      update.scale(by: Float(1 / max(1, update.rootMeanSquare / clipThreshold)))
      var average = Tensor(update.shape, slot.first)
      average.scale(by: Float(betas.0))
      average.add(update, times: Float(1 - betas.0))
      slot.first = average.elements
      if form.isFactored {
        update.add(average, times: -1)
        average = form.scaled(
          average, bySquaresOf: update.elements, kept: betas.2, epsilon: Float(epsilons.1),
          &slot.fourth, &slot.fifth)
      }
      if weightDecay != 0 { parameter.value.scale(by: Float(1 - weightDecay * rates[group])) }
      parameter.value.add(average, times: Float(-rates[group]))
    }
  }

  /// How many numbers each field has.
  private static func counts(of parameter: Parameter) -> [Int] {
    let form = FactoredForm(parameter.value.shape)
    let (rows, columns) = (form.rowCount, form.columnCount)
    return [parameter.value.count, rows, columns, form.isFactored ? rows : 0, columns]
  }

  package var state: OptimizerState { OptimizerState(tensors: slots.tensors) }

  package mutating func restore(
    _ state: OptimizerState, for groups: [ParameterGroup]
  ) throws(OptimizerStateError) {
    var restored = slots
    try restored.restore(state, for: groups) { field, parameter in
      Self.counts(of: parameter)[field]
    }
    slots = restored
  }
}
