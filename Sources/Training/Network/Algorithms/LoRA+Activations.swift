import Adapters
import Autograd

extension LoRA: ActivationForm {
  static func dropsRanks(_ plan: PlannedModule, inBypass: Bool) -> Bool {
    plan.dropsAsKohya || inBypass
  }

  static func output(
    of module: AdaptedLayer, _ layer: Layer, _ x: Variable, _ factors: Factors<Variable>,
    strength: Float
  ) throws(AdapterError) -> Variable {
    let (up, down) = (try factors.require(up), try factors.require(down))
    return module.adding(
      to: layer.frozen(x), module.hidden(layer.hidden(x, down, factors[mid])), up: up, strength)
  }
}

extension DyLoRA: ActivationForm {
  static func output(
    of module: AdaptedLayer, _ layer: Layer, _ x: Variable, _ factors: Factors<Variable>,
    strength: Float
  ) throws(AdapterError) -> Variable {
    try LoRA.output(of: module, layer, x, factors, strength: strength)
  }
}
