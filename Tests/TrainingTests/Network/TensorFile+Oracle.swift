import Autograd
import LinearAlgebra
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

/// What trainers' own code made of tiny models: `grad.*` of the first step before clipping, and `after.*` of ten.
extension TensorFile {
  /// The largest error of gradients, as a share of their norm.
  /// - Parameter names: of parameters that have none.
  func worstGradient(of parameters: [Parameter], without names: [String]) throws -> Double {
    var worst = 0.0
    for parameter in parameters {
      guard let expected = tensors["grad." + parameter.name]?.tensor() else {
        #expect(names.contains(parameter.name), "\(parameter.name)")
        #expect(parameter.gradient == nil, "\(parameter.name)")
        continue
      }
      let gradient = try #require(parameter.gradient, "\(parameter.name)")
      worst = Swift.max(worst, gradient.relativeError(to: expected))
    }
    return worst
  }

  /// How far parameters end from where they should, as a share of the way that they should have gone.
  func missedWay(of parameters: [Parameter], from start: [Tensor]) throws -> Double {
    var (missed, gone) = (0.0, 0.0)
    for (parameter, first) in zip(parameters, start) {
      let end = try #require(tensors["after." + parameter.name]).tensor().reshaped(first.shape)
      missed += parameter.value.adding(end, times: -1).sumOfSquares
      gone += end.adding(first, times: -1).sumOfSquares
    }
    return (missed / gone).squareRoot()
  }
}
