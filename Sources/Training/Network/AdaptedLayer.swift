import Adapters
package import Autograd
import LinearAlgebra
import Tensors

/// An adapter at work in a layer.
///
/// Where it is cheaper and the same, factors are applied to the activations one after another and added
/// to what the frozen layer gives; otherwise W' is formed by the formula that merges a file too, and
/// takes the place of W in one product. With W in fewer bits than f32, what is added to it goes through a
/// product of its own: in W' it would be rounded away.
package final class AdaptedLayer: LayerAdaptation {
  package let plan: PlannedModule
  package let factors: TrainedFactors
  /// The place of the module in the network, by which its random numbers are drawn.
  let index: Int
  let state: NetworkState
  let route: AdapterRoute
  /// Whether LyCORIS' dropouts of its bypass mode count, rather than those of rows of ΔW.
  let dropsInBypass: Bool

  init(
    _ plan: PlannedModule, _ factors: TrainedFactors, index: Int, layer: Layer,
    state: NetworkState, hasQuantizedBase: Bool
  ) {
    self.plan = plan
    self.factors = factors
    self.index = index
    self.state = state
    dropsInBypass = plan.dropsInBypass(hasQuantizedBase: hasQuantizedBase)
    route = plan.route(
      of: layer.operation, layer.compute, hasQuantizedBase: hasQuantizedBase)
  }

  package func output(of layer: Layer, for x: Variable) -> Variable {
    let multiplier = state.multiplier
    guard multiplier != 0, !isLeftOut else { return layer.frozen(x) }
    switch route {
    case .factors(let form): return outputOfFactors(form, layer, x, multiplier)
    case .weight:
      let weight = adaptedWeight(Variable(layer.weightValue), multiplier)
      return layer.applying(weight: weight, bias: adaptedBias(layer, multiplier), to: x)
    case .difference:
      let change = layer.applying(
        weight: weightChange(of: layer, multiplier), bias: biasChange(layer, multiplier), to: x)
      return layer.frozen(x).adding(dropping(change), times: 1)
    }
  }

  // MARK: Weights

  /// The factors of this step as variables.
  var variables: Factors<Variable> {
    factors.assembled(block: activeBlock, { $0.variable }, { Variable($0) })
  }

  /// W' of the formula for a base that is not trained.
  func adaptedWeight(_ base: consuming Variable, _ multiplier: Float) -> Variable {
    let rows = rowMask(count: base.shape.rows)
    if plan.algorithm.trainsWeight {
      let weight = factors[parameterOfWeight: ()].variable
      guard multiplier != 1 || rows != nil else { return weight }
      let change = weight.adding(copy base, times: -1)
      return base.adding(
        rows.map { change.scaledRows(by: Variable($0)) } ?? change, times: multiplier)
    }
    do throws(AdapterError) {
      return try formulaWeight(base, rows: rows, multiplier)
    } catch {
      preconditionFailure("module '\(plan.name)': \(error)")
    }
  }

  private func formulaWeight(
    _ base: consuming Variable, rows: Tensor?, _ multiplier: Float
  ) throws(AdapterError) -> Variable {
    let formula = plan.algorithm.formula
    let decomposition = factors.magnitude.map {
      WeightDecomposition(magnitude: $0.variable, axis: factors.magnitudeAxis)
    }
    guard let rows, plan.algorithm.isAdditive else {
      guard let decomposition else {
        return try formula.adaptedWeight(base, variables, multiplier: multiplier)
      }
      return try decomposition.adaptedWeight(base, formula, variables, multiplier: multiplier)
    }
    let change = try formula.adaptedWeight(
      Variable(Tensor(zeros: base.shape)), variables, multiplier: 1
    ).scaledRows(by: Variable(rows))
    guard let decomposition else { return base.adding(change, times: multiplier) }
    let direction = (copy base).adding(change, times: 1)
    return base.interpolated(to: decomposition.rescale(direction), by: multiplier)
  }

  /// W' − W, without W where the formula does without.
  private func weightChange(of layer: Layer, _ multiplier: Float) -> Variable {
    if plan.algorithm.isAdditive, !plan.algorithm.trainsWeight, factors.magnitude == nil {
      return adaptedWeight(Variable(Tensor(zeros: layer.weightShape)), multiplier)
    }
    let base = Variable(layer.weightValue)
    return adaptedWeight(base, multiplier).adding(base, times: -1)
  }

  /// b' of the layer; its own where it is not trained.
  private func adaptedBias(_ layer: Layer, _ multiplier: Float) -> Variable? {
    guard let base = layer.bias else { return nil }
    guard factors.bias != nil else { return Variable(base) }
    if plan.algorithm.trainsWeight, multiplier == 1, plan.options.rankDropout == 0 {
      return factors.bias?.variable
    }
    return biasChange(layer, multiplier).map { Variable(base).adding($0, times: 1) }
  }

  /// b' − b, nil where it is not trained.
  private func biasChange(_ layer: Layer, _ multiplier: Float) -> Variable? {
    guard let bias = factors.bias, let base = layer.bias else { return nil }
    let change =
      plan.algorithm.trainsWeight
      ? bias.variable.adding(Variable(base), times: -1) : bias.variable
    let masked = rowMask(count: base.count).map { change.masked(by: $0) } ?? change
    return masked * multiplier
  }

  /// Factors were checked when the module was made: a formula has no reason left to fail.
  static func formula<Value>(
    _ module: String, _ body: () throws(AdapterError) -> Value
  ) -> Value {
    do throws(AdapterError) {
      return try body()
    } catch {
      preconditionFailure("module '\(module)': \(error)")
    }
  }
}

extension TrainedFactors {
  /// The weight that is trained itself.
  subscript(parameterOfWeight _: Void) -> Parameter { self[parameter: Self.weightSuffix] }
}
