package import Tensors
package import Testing

/// ‖actual − expected‖_F / ‖expected‖_F; the absolute distance where `expected` is zero.
package func relativeError(_ actual: Tensor, _ expected: Tensor) -> Double {
  let distance = actual.squaredDistance(to: expected).squareRoot()
  let norm = expected.sumOfSquares.squareRoot()
  return norm == 0 ? distance : distance / norm
}

/// Records an issue with the worst element if the tensors differ in shape or by more than
/// `tolerance` in the relative Frobenius norm.
package func expectClose(
  _ actual: Tensor, _ expected: Tensor, tolerance: Double, _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.shape == expected.shape else {
    Issue.record(
      "\(what): shape \(actual.shape), expected \(expected.shape)", sourceLocation: sourceLocation)
    return
  }
  let error = relativeError(actual, expected)
  guard !(error <= tolerance) else { return }
  let worst = (0..<actual.count).max {
    abs(actual.elements[$0] - expected.elements[$0])
      < abs(actual.elements[$1] - expected.elements[$1])
  }
  let place = worst.map {
    ", worst at \($0): \(actual.elements[$0]), expected \(expected.elements[$0])"
  }
  Issue.record(
    "\(what): relative error \(error) > \(tolerance)\(place ?? "")", sourceLocation: sourceLocation)
}
