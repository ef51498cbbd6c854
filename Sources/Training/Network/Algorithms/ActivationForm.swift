import Adapters
import Autograd

/// An algorithm whose factors can be applied to the activations of a layer one after another, which takes
/// less than forming W', and less memory.
protocol ActivationForm: TrainableAlgorithm {
  /// Whether a layer with that operation has this form.
  static func applies(to operation: Layer.Operation) -> Bool

  /// Whether it is the form that is used.
  /// - Parameter bypasses: what `bypass_mode` says, nil for nothing.
  static func isUsed(_ plan: PlannedModule, bypasses: Bool?) -> Bool

  /// Whether rank dropout leaves out ranks of the activations in this form, rather than rows of ΔW.
  static func dropsRanks(_ plan: PlannedModule, inBypass: Bool) -> Bool

  /// The output of the adapted layer.
  /// - Parameter strength: the multiplier of the adapter and the scale of the factors in one.
  static func output(
    of module: AdaptedLayer, _ layer: Layer, _ x: Variable, _ factors: Factors<Variable>,
    strength: Float
  ) throws(AdapterError) -> Variable
}

extension ActivationForm {
  static func applies(to operation: Layer.Operation) -> Bool { true }

  static func isUsed(_ plan: PlannedModule, bypasses: Bool?) -> Bool {
    plan.dropsAsKohya || bypasses != false
  }

  static func dropsRanks(_ plan: PlannedModule, inBypass: Bool) -> Bool { false }
}
