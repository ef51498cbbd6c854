import Adapters
import Autograd
import LinearAlgebra
import Tensors

/// Factors applied to activations.
extension AdaptedLayer {
  func outputOfFactors(
    _ form: any ActivationForm.Type, _ layer: Layer, _ x: Variable, _ multiplier: Float
  ) -> Variable {
    let factors = variables
    return Self.formula(plan.name) { () throws(AdapterError) -> Variable in
      try form.output(of: self, layer, x, factors, strength: multiplier * factors.scale)
    }
  }

  /// y + strength · up · hidden, along the last axis, in place of y; what is dropped of it left out.
  func adding(
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
}

extension Layer {
  /// The ranks `[…, rank]` of a down factor, by the geometry of the layer; a Tucker core between.
  func hidden(_ x: Variable, _ down: Variable, _ core: Variable?) -> Variable {
    guard case .convolution(let geometry) = operation else { return x.linear(down.asMatrix) }
    guard let core else { return x.convolved(down.asKernel, geometry) }
    return x.linear(down.asMatrix).convolved(core, geometry)
  }
}

extension Variable {
  var asMatrix: Variable {
    shape.dimensions.count == 2 ? self : reshaped(shape.asMatrix)
  }

  /// A matrix as a 1×1 kernel.
  fileprivate var asKernel: Variable {
    shape.dimensions.count == 4 ? self : reshaped([shape.rows, shape.columns, 1, 1])
  }
}

extension Shape {
  /// `[…, n]` as `[rows, n]`.
  var asRows: Shape {
    let width = dimensions.last ?? 1
    return [count / Swift.max(width, 1), width]
  }
}
