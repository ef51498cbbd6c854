import Autograd
package import Tensors

/// A moving average of parameters over the steps of a training (EMA), which is saved in their place.
package struct ParameterAverage {
  /// The share of the average that each step keeps.
  package let decay: Double
  /// Whether the first steps keep less: (1 + n) / (10 + n), so that the start is soon forgotten.
  package let warmsUp: Bool
  /// Steps that are in it.
  package private(set) var count = 0
  /// By the parameter's name.
  package private(set) var values: [String: Tensor] = [:]
  /// What is trained, while the average is in its place.
  private var trained: [String: Tensor]?

  package init(decay: Double, warmsUp: Bool = true) {
    self.decay = decay
    self.warmsUp = warmsUp
  }

  /// Takes in the parameters after a step; the first time, it becomes them.
  package mutating func update(_ groups: [ParameterGroup]) {
    precondition(trained == nil, "an update of the average while it is in place")
    let kept = warmsUp ? min(decay, Double(1 + count) / Double(10 + count)) : decay
    count += 1
    let parameters = groups.flatMap(\.parameters)
    // Out of the dictionary, which threads cannot share.
    var averages = parameters.map { values.removeValue(forKey: $0.name) }
    ComputeThreads.change(&averages) { average, index in
      let value = parameters[index].value
      var moved = average.take() ?? value
      moved.approach(value, share: Float(1 - kept))
      average = moved
    }
    for (parameter, average) in zip(parameters, averages) { values[parameter.name] = average }
  }

  /// Goes on from a state.
  /// - Throws: `OptimizerStateError` if a parameter is missing or has another size
  package mutating func restore(
    count: Int, _ values: [String: Tensor], for groups: [ParameterGroup]
  ) throws(OptimizerStateError) {
    for parameter in groups.flatMap(\.parameters) where count > 0 {
      guard let value = values[parameter.name] else { throw .missing(parameter.name) }
      guard value.shape == parameter.value.shape else {
        throw .shape(
          parameter.name, expected: "\(parameter.value.shape)", found: "\(value.shape)")
      }
      guard value.elements.allSatisfy(\.isFinite) else {
        throw .value(
          "\(parameter.name) of the average", expected: "finite numbers", found: "NaN or infinity")
      }
    }
    self.count = count
    self.values = values
  }

  /// Puts the average in the place of the parameters.
  package mutating func beginEvaluation(_ groups: [ParameterGroup]) {
    guard trained == nil, count > 0 else { return }
    var kept: [String: Tensor] = [:]
    for parameter in groups.flatMap(\.parameters) {
      kept[parameter.name] = parameter.value
      if let value = values[parameter.name] { parameter.value = value }
    }
    trained = kept
  }

  /// Puts back what is trained.
  package mutating func endEvaluation(_ groups: [ParameterGroup]) {
    guard let kept = trained.take() else { return }
    for parameter in groups.flatMap(\.parameters) {
      if let value = kept[parameter.name] { parameter.value = value }
    }
  }
}

extension Tensor {
  /// self ← self + share · (other − self)
  fileprivate mutating func approach(_ other: Tensor, share: Float) {
    precondition(count == other.count, "an average of \(shape) and \(other.shape)")
    let source = other.elements.span
    var target = elements.mutableSpan
    for i in 0..<source.count {
      let value = unsafe target[unchecked: i]
      unsafe target[unchecked: i] = value + share * (source[unchecked: i] - value)
    }
  }
}
