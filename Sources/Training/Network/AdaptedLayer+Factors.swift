import Adapters
import Autograd
import LinearAlgebra
import Tensors

/// Factors applied to activations.
extension AdaptedLayer {
  func outputOfFactors(_ layer: Layer, _ x: Variable, _ multiplier: Float) -> Variable {
    let factors = variables
    let strength = multiplier * factors.scale
    return Self.formula(plan.name) { () throws(AdapterError) -> Variable in
      switch plan.algorithm {
      case .glora:
        let (a1, a2) = (try factors.require(GLoRA.a1), try factors.require(GLoRA.a2))
        let (b1, b2) = (try factors.require(GLoRA.b1), try factors.require(GLoRA.b2))
        let inner = adding(to: x, hidden(x.linear(a2.asMatrix), salt: 1), up: a1, strength)
        return adding(
          to: layer.frozen(inner), hidden(layer.hidden(x, b2, factors[GLoRA.core])), up: b1,
          strength)
      case .ia3:
        return scaled(layer, x, by: try factors.require(IA3.weight), multiplier)
      case .lokr:
        let change = dropping(try kronecker(x, factors))
        let rows = rowMask(count: layer.weightShape.rows)
        return layer.frozen(x).adding(
          rows.map { change.scaledColumns(by: Variable($0)) } ?? change, times: strength)
      case .tlora:
        let (up, down) = (try factors.require(TLoRA.up), try factors.require(TLoRA.down))
        let values = try factors.require(TLoRA.values)
        let start = try factors.require(TLoRA.startDown)
        let trained = adding(
          to: layer.frozen(x),
          masking(x.linear(down.asMatrix).scaledColumns(by: values)), up: up, strength)
        return adding(
          to: trained, masking(x.linear(start.asMatrix)), up: try factors.require(TLoRA.startUp),
          -strength)
      default:
        let (up, down) = (try factors.require(LoRA.up), try factors.require(LoRA.down))
        return adding(
          to: layer.frozen(x), hidden(layer.hidden(x, down, factors[LoRA.mid])), up: up, strength)
      }
    }
  }

  /// y + strength · up · hidden, along the last axis, in place of y; what is dropped of it left out.
  private func adding(
    to y: consuming Variable, _ hidden: Variable, up: Variable, _ strength: Float
  ) -> Variable {
    var up = up.asMatrix
    let shape = y.shape
    if let rows = rowMask(count: up.shape.rows) { up = up.scaledRows(by: Variable(rows)) }
    guard dropsOutputs else {
      return y.reshaped(shape.asRows).adding(
        product: hidden.reshaped(hidden.shape.asRows), up.transposed(), times: strength
      ).reshaped(shape)
    }
    return y.adding(dropping(hidden.linear(up)), times: strength)
  }

  /// (IA)³: outputs without their bias, or inputs, times 1 + w.
  private func scaled(
    _ layer: Layer, _ x: Variable, by scales: Variable, _ multiplier: Float
  ) -> Variable {
    guard scales.shape.dimensions.count == 2 else {
      return layer.frozen(x.adding(x.scaledColumns(by: scales), times: multiplier))
    }
    let y = layer.frozen(x)
    let plain = layer.bias.map { y.addingRow(Variable($0 * -1)) } ?? y
    return y.adding(plain.scaledColumns(by: scales), times: multiplier)
  }

  /// (w1 ⊗ w2)·x of rows `[…, c·d]`: w2 on every of c groups, then w1 across them.
  private func kronecker(
    _ x: Variable, _ factors: Factors<Variable>
  ) throws(AdapterError) -> Variable {
    let outer = try LoKr.outer(of: factors)
    let (a, c) = (outer.shape.rows, outer.shape.columns)
    let rows = x.shape.asRows.rows
    let groups = x.reshaped([rows * c, x.shape.asRows.columns / c])
    let inner: Variable
    if let whole = factors[LoKr.w2] {
      inner = groups.linear(whole.asMatrix)
    } else {
      let (left, right) = try LoKr.innerMatrices(of: factors)
      inner = groups.linear(right).linear(left)
    }
    let b = inner.shape.columns
    // [rows, c, b] to [rows, b, c], w1 along the last axis, and back.
    let crossed = inner.reshaped([rows, c, b]).swappedLastAxes().linear(outer).swappedLastAxes()
    return crossed.reshaped(Shape(x.shape.dimensions.dropLast() + [a * b]))
  }
}

extension Layer {
  /// The ranks `[…, rank]` of a down factor, by the geometry of the layer; a Tucker core between.
  fileprivate func hidden(_ x: Variable, _ down: Variable, _ core: Variable?) -> Variable {
    guard case .convolution(let geometry) = operation else { return x.linear(down.asMatrix) }
    guard let core else { return x.convolved(down.asKernel, geometry) }
    return x.linear(down.asMatrix).convolved(core, geometry)
  }
}

extension Variable {
  fileprivate var asMatrix: Variable {
    shape.dimensions.count == 2 ? self : reshaped(shape.asMatrix)
  }

  /// A matrix as a 1×1 kernel.
  fileprivate var asKernel: Variable {
    shape.dimensions.count == 4 ? self : reshaped([shape.rows, shape.columns, 1, 1])
  }
}

extension Shape {
  /// `[…, n]` as `[rows, n]`.
  fileprivate var asRows: Shape {
    let width = dimensions.last ?? 1
    return [count / Swift.max(width, 1), width]
  }
}

extension TrainedFactors {
  /// LoKr: whether applying both factors takes less than forming W', whose gradient is a product of
  /// the size of the layer's.
  var isCheaperOnActivations: Bool {
    let shapes = values.values.mapValues(\.shape)
    guard let weight = LoKr.weightShape(of: shapes) else { return false }
    let outer =
      shapes[LoKr.w1] ?? [shapes[LoKr.w1Left]?.rows ?? 1, shapes[LoKr.w1Right]?.columns ?? 1]
    let inputs = weight.inputs
    let b = weight.rows / max(outer.rows, 1)
    let hidden = shapes[LoKr.w2Right]?.rows
    let d = inputs / max(outer.columns, 1)
    let inner = hidden.map { outer.columns * $0 * (b + d) } ?? inputs * b
    // Forward and both gradients, against the one product that W' takes more than the frozen layer.
    return 3 * (inner + b * outer.count) < weight.rows * inputs
  }
}
