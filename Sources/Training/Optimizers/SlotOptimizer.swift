/// An optimizer that keeps some tensors for each parameter and nothing else.
package protocol SlotOptimizer: Optimizer {
  var slots: Slots { get set }
}

extension SlotOptimizer {
  package var state: OptimizerState { OptimizerState(tensors: slots.tensors) }

  package mutating func restore(
    _ state: OptimizerState, for groups: [ParameterGroup]
  ) throws(OptimizerStateError) {
    try slots.restore(state, for: groups)
  }
}
