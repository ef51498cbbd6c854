import Autograd
import LinearAlgebra
import Tensors
import Testing

/// Compares recorded gradients with central differences of Σ output ⊙ weights.
///
/// Differences of f32 are exact to some 1e-3 of the gradient at this step for functions of magnitude 1;
/// gradients are compared by the norm of each input's.
func checkGradients(
  of inputs: [Tensor], tolerance: Double = 2e-3, step: Float = 1e-2, _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation, _ function: ([Variable]) -> Variable
) {
  var generator = SeededGenerator(seed: 11)
  let parameters = inputs.enumerated().map { Parameter("input \($0)", $1) }
  let recording = Recording()
  var weights = Tensor(zeros: [0])
  recording.record {
    let output = function(parameters.map(\.variable))
    weights = Tensor(
      output.shape,
      (0..<output.shape.count).map { _ in Float.random(in: -1...1, using: &generator) })
    output.backpropagate(weights)
  }
  func value(_ changed: [Tensor]) -> Double {
    let output = function(changed.map { Variable($0) }).value
    return zip(output.elements, weights.elements).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }
  for (index, parameter) in parameters.enumerated() {
    guard let gradient = parameter.gradient else {
      Issue.record("\(what): no gradient of input \(index)", sourceLocation: sourceLocation)
      continue
    }
    var (error, norm) = (0.0, 0.0)
    for i in inputs[index].elements.indices {
      var (above, below) = (inputs, inputs)
      above[index].elements[i] += step
      below[index].elements[i] -= step
      let expected = (value(above) - value(below)) / (2 * Double(step))
      error += (expected - Double(gradient.elements[i])) * (expected - Double(gradient.elements[i]))
      norm += expected * expected
    }
    let relative = (error / max(norm, 1e-30)).squareRoot()
    if !(relative <= tolerance) {
      Issue.record(
        "\(what): gradient of input \(index) is off by \(relative) > \(tolerance)",
        sourceLocation: sourceLocation)
    }
  }
}

/// Uniform in ±1.
func random(_ shape: Shape, seed: UInt64) -> Tensor {
  var generator = SeededGenerator(seed: seed)
  return Tensor(
    shape, (0..<shape.count).map { _ in Float.random(in: -1...1, using: &generator) })
}
