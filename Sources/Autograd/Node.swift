import Tensors

/// A place in the recorded graph: where the gradient of one value gathers, and how it goes on to the
/// values that this one was made from.
///
/// Nodes hold on to other nodes, not to values; what a backward pass needs of a value is captured by
/// its closure, and released as soon as that has run.
final class Node {
  /// Rises in the order of recording, so that descending order is a valid order of the backward pass.
  let order: Int
  /// Of the values that this one was made from; nil for those that need no gradient.
  private(set) var inputs: [Node?]
  /// Gradients of the inputs from that of the value; nil for a parameter, and after it has run.
  private(set) var backward: ((Tensor) -> [Tensor?])?
  private(set) var gradient: Tensor?

  init(order: Int, inputs: [Node?] = [], backward: ((Tensor) -> [Tensor?])? = nil) {
    self.order = order
    self.inputs = inputs
    self.backward = backward
  }

  /// Adds to the gradient.
  func accumulate(_ contribution: consuming Tensor) {
    guard var sum = gradient.take() else {
      gradient = contribution
      return
    }
    // In place: a first contribution that is also another value's is copied by this.
    sum.accumulate(contribution)
    gradient = sum
  }

  /// Adds to a part of the gradient of a value of that shape; the rest of it, if nothing was there, is zero.
  func accumulate(partOf shape: Shape, _ add: (inout Tensor) -> Void) {
    // In place, as above: the gradients of many parts take no more memory than that of the whole.
    var sum = gradient.take() ?? Tensor(zeros: shape)
    add(&sum)
    gradient = sum
  }

  func takeGradient() -> Tensor? { gradient.take() }

  /// Sends the gradient on, and lets go of everything.
  func propagate() {
    let (backward, inputs) = (backward.take(), inputs)
    self.inputs = []
    guard let backward, let gradient = takeGradient() else { return }
    let contributions = backward(gradient)
    precondition(contributions.count == inputs.count, "a gradient for every input")
    for (input, contribution) in zip(inputs, contributions) {
      guard let input, let contribution else { continue }
      input.accumulate(contribution)
    }
  }
}
