import Autograd
import Tensors

/// Moves parameters against their gradients.
///
/// A parameter is moved by one thread, element by element in a fixed order, and sums over parameters are formed in
/// their order, so results do not depend on threads. `state` has all that a later process needs to go on to the same
/// bits.
package protocol Optimizer {
  /// One step by the gradients of the parameters; those without one stay where they are.
  /// - Parameter rates: the learning rate of each group, the schedule's factor in it
  mutating func step(_ groups: [ParameterGroup], rates: [Double])

  /// All that is kept between steps, but for the parameters.
  var state: OptimizerState { get }

  /// Goes on from a state.
  /// - Throws: `OptimizerStateError` where it is not one of these parameters and this optimizer
  mutating func restore(
    _ state: OptimizerState, for groups: [ParameterGroup]
  ) throws(OptimizerStateError)

  /// Whether the optimizer can work with these rates of groups.
  /// - Throws: `SettingError`
  func check(rates: [Double]) throws(SettingError)

  /// What the optimizer found the rates are to be multiplied by (d); nil for those that look for none.
  var adaptedRate: Double? { get }

  /// The rates that the last step was made with, for logs; `rates` where they are the given ones.
  func effectiveRates(_ groups: [ParameterGroup], rates: [Double]) -> [Double]

  /// Whether rates follow no schedule: it is a part of the optimizer.
  var schedulesItself: Bool { get }

  /// Puts in the place of the parameters what is to be judged and saved.
  mutating func beginEvaluation(_ groups: [ParameterGroup])

  /// Puts back, to the bit, what is trained.
  mutating func endEvaluation(_ groups: [ParameterGroup])
}

extension Optimizer {
  package func check(rates: [Double]) throws(SettingError) {}

  package var adaptedRate: Double? { nil }

  package func effectiveRates(_ groups: [ParameterGroup], rates: [Double]) -> [Double] { rates }

  package var schedulesItself: Bool { false }

  package mutating func beginEvaluation(_ groups: [ParameterGroup]) {}

  package mutating func endEvaluation(_ groups: [ParameterGroup]) {}
}

/// A parameter with its gradient and the number of its group.
typealias GradedParameter = (group: Int, parameter: Parameter, gradient: [Float])

extension [ParameterGroup] {
  /// Parameters that have a gradient, with the number of their group.
  var withGradients: [GradedParameter] {
    enumerated().flatMap { index, group in
      group.parameters.compactMap { parameter in
        parameter.gradient.map { (index, parameter, $0.elements) }
      }
    }
  }
}

extension [Double] {
  /// Of optimizers that look for the rate themselves: it is one for all.
  func checkCommonRate(_ optimizer: String) throws(SettingError) {
    let rates = Set(self).subtracting([0]).sorted()
    guard rates.count > 1 else { return }
    throw .combination(
      "\(optimizer) finds one learning rate for all parameters, found "
        + rates.map { "\($0)" }.joined(separator: " and ")
        + "; give --learning_rate alone (1 as a rule), without LoRA+ ratios")
  }
}
