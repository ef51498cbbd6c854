package import Tensors

/// A tensor that may remember what it was made from, so that gradients can be found.
///
/// Operations on variables compute at once and record themselves where an operand needs a gradient; those
/// among constants leave no trace, so nothing is computed backward below the first parameter.
package struct Variable {
  package internal(set) var value: Tensor
  /// nil for a constant.
  let node: Node?

  /// A constant.
  package init(_ value: Tensor) {
    self.value = value
    node = nil
  }

  init(_ value: Tensor, node: Node?) {
    self.value = value
    self.node = node
  }

  package var shape: Shape { value.shape }

  /// Whether gradients go through it.
  package var needsGradient: Bool { node != nil }

  /// The same value as a constant.
  package var detached: Variable { Variable(value) }

  /// A value made from `inputs`.
  /// - Parameter backward: gradients of the inputs from that of the value; those of inputs that need
  ///   none (`needsGradient`) may be nil, and are ignored.
  package static func record(
    _ value: Tensor, from inputs: [Variable], backward: @escaping (Tensor) -> [Tensor?]
  ) -> Variable {
    guard inputs.contains(where: \.needsGradient), let recording = Recording.current else {
      return Variable(value)
    }
    return Variable(value, node: recording.node(inputs: inputs.map(\.node), backward: backward))
  }

  /// A value made from inputs each of which has a gradient of its own; only those that are needed are
  /// computed.
  package static func record(
    _ value: Tensor, _ inputs: (variable: Variable, gradient: (Tensor) -> Tensor)...
  ) -> Variable {
    let needed = inputs.map { $0.variable.needsGradient ? $0.gradient : nil }
    return record(value, from: inputs.map(\.variable)) { gradient in
      needed.map { $0?(gradient) }
    }
  }
}
