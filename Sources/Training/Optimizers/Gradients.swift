package import Autograd
import Tensors

extension [ParameterGroup] {
  /// The norm of all gradients together, summed in double precision in the order of the groups.
  package var gradientNorm: Double {
    let parameters = flatMap(\.parameters)
    var sums = [Double](repeating: 0, count: parameters.count)
    ComputeThreads.change(&sums) { $0 = parameters[$1].gradient?.sumOfSquares ?? 0 }
    return sums.reduce(0, +).squareRoot()
  }

  /// Scales all gradients so that their norm is at most `limit`, as torch does.
  /// - Parameter limit: 0 for no bound
  /// - Returns: the norm before
  @discardableResult
  package func clipGradients(to limit: Double) -> Double {
    let norm = gradientNorm
    let factor = limit / (norm + 1e-6)
    if limit > 0, factor < 1 { scaleGradients(by: Float(factor)) }
    return norm
  }

  /// Multiplies all gradients, as by 1 / the number of batches that they were summed over.
  package func scaleGradients(by factor: Float) {
    guard factor != 1 else { return }
    let parameters = flatMap(\.parameters)
    ComputeThreads.forEach(parameters.count) { parameters[$0].gradient?.scale(by: factor) }
  }

  /// Lets go of all gradients.
  package func clearGradients() {
    for group in self {
      for parameter in group.parameters { parameter.gradient = nil }
    }
  }

  /// The first parameter whose gradient has an element that is not a finite number.
  package var firstNonFiniteGradient: Parameter? {
    for group in self {
      for parameter in group.parameters where parameter.gradient?.isFinite == false {
        return parameter
      }
    }
    return nil
  }
}
