import Adapters
import Autograd
import LinearAlgebra
import ModelFamilies
import Tensors

extension LoKr: ActivationForm {
  static func applies(to operation: Layer.Operation) -> Bool {
    if case .linear = operation { true } else { false }
  }

  static func isUsed(_ plan: PlannedModule, bypasses: Bool?) -> Bool {
    bypasses
      ?? isCheaperOnActivations(
        initialShapes(for: plan.module.shape, plan.options.adapterSettings))
  }

  static func output(
    of module: AdaptedLayer, _ layer: Layer, _ x: Variable, _ factors: Factors<Variable>,
    strength: Float
  ) throws(AdapterError) -> Variable {
    let change = module.dropping(try product(x, factors))
    let rows = module.rowMask(count: layer.weightShape.rows)
    return layer.frozen(x).adding(
      rows.map { change.scaledColumns(by: Variable($0)) } ?? change, times: strength)
  }

  /// (w1 ⊗ w2)·x of rows `[…, c·d]`: w2 on every of c groups, then w1 across them.
  private static func product(
    _ x: Variable, _ factors: Factors<Variable>
  ) throws(AdapterError) -> Variable {
    let outer = try outer(of: factors)
    let (a, c) = (outer.shape.rows, outer.shape.columns)
    let rows = x.shape.asRows.rows
    let groups = x.reshaped([rows * c, x.shape.asRows.columns / c])
    let inner: Variable
    if let whole = factors[w2] {
      inner = groups.linear(whole.asMatrix)
    } else {
      let (left, right) = try innerMatrices(of: factors)
      inner = groups.linear(right).linear(left)
    }
    let b = inner.shape.columns
    // [rows, c, b] to [rows, b, c], w1 along the last axis, and back.
    let crossed = inner.reshaped([rows, c, b]).swappedLastAxes().linear(outer).swappedLastAxes()
    return crossed.reshaped(Shape(x.shape.dimensions.dropLast() + [a * b]))
  }

  /// Whether applying both factors takes less than forming W', whose gradient is a product of the size of the
  /// layer's.
  private static func isCheaperOnActivations(_ shapes: [String: Shape]) -> Bool {
    guard let weight = weightShape(of: shapes) else { return false }
    let outer =
      shapes[w1] ?? [shapes[w1Left]?.rows ?? 1, shapes[w1Right]?.columns ?? 1]
    let inputs = weight.inputs
    let b = weight.rows / max(outer.rows, 1)
    let hidden = shapes[w2Right]?.rows
    let d = inputs / max(outer.columns, 1)
    let inner = hidden.map { outer.columns * $0 * (b + d) } ?? inputs * b
    // Forward and both gradients, against the one product that W' takes more than the frozen layer.
    return 3 * (inner + b * outer.count) < weight.rows * inputs
  }
}
