import Adapters
import Autograd

extension GLoRA: ActivationForm {
  static func dropsRanks(_ plan: PlannedModule, inBypass: Bool) -> Bool { true }

  /// The first pair changes the input, the second adds to the output.
  static func output(
    of module: AdaptedLayer, _ layer: Layer, _ x: Variable, _ factors: Factors<Variable>,
    strength: Float
  ) throws(AdapterError) -> Variable {
    let (a1, a2) = (try factors.require(a1), try factors.require(a2))
    let (b1, b2) = (try factors.require(b1), try factors.require(b2))
    let inner = module.adding(
      to: x, module.hidden(x.linear(a2.asMatrix), salt: 1), up: a1, strength)
    return module.adding(
      to: layer.frozen(inner), module.hidden(layer.hidden(x, b2, factors[core])), up: b1, strength)
  }
}
