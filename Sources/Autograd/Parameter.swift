package import Tensors

/// A tensor that is trained.
package final class Parameter {
  /// For people, and for errors.
  package let name: String
  package var value: Tensor
  /// The sum over all backward passes since it was last cleared.
  package var gradient: Tensor? {
    get { collected }
    // In place: a getter and a setter would copy what is changed.
    _modify { yield &collected }
  }
  private var collected: Tensor?

  package init(_ name: String, _ value: Tensor) {
    self.name = name
    self.value = value
  }

  /// The value as an operand: its gradient arrives in `gradient`.
  package var variable: Variable {
    guard let recording = Recording.current else { return Variable(value) }
    // A node of its own for every use, so that a graph can be let go of piece by piece.
    return Variable(
      value,
      node: recording.node { [unowned self] gradient in
        if var sum = collected.take() {
          sum.accumulate(gradient)
          collected = sum
        } else {
          collected = gradient
        }
        return []
      })
  }
}
