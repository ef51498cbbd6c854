import Adapters
import Autograd
import LinearAlgebra
import Tensors

extension IA3: ActivationForm {
  /// Outputs without their bias, or inputs, times 1 + w.
  static func output(
    of module: AdaptedLayer, _ layer: Layer, _ x: Variable, _ factors: Factors<Variable>,
    strength: Float
  ) throws(AdapterError) -> Variable {
    let scales = try factors.require(weight)
    guard scales.shape.dimensions.count == 2 else {
      return layer.frozen(x.adding(x.scaledColumns(by: scales), times: strength))
    }
    let y = layer.frozen(x)
    let plain = layer.bias.map { y.addingRow(Variable($0 * -1)) } ?? y
    return y.adding(plain.scaledColumns(by: scales), times: strength)
  }
}
