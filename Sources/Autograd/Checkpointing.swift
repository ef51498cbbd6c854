import Tensors

extension Variable {
  /// `body` of the inputs, of which only these and the result are kept: the backward pass computes the
  /// rest again.
  ///
  /// Parameters used inside get their gradients as otherwise. `body` must do the same both times:
  /// whatever is random in it must come from a generator of its own.
  package static func checkpointed(
    _ inputs: [Variable], _ body: @escaping ([Variable]) -> Variable
  ) -> Variable {
    guard Recording.current != nil else { return body(inputs) }
    let result = Recording.pause { body(inputs.map(\.detached)) }
    // Parameters inside need gradients also where no input does, so the node is recorded in any case.
    guard let recording = Recording.current else { return result }
    let values = inputs.map(\.value)
    let needed = inputs.map(\.needsGradient)
    let node = recording.node(inputs: inputs.map(\.node)) { gradient in
      let inner = Recording()
      return inner.record {
        let leaves = zip(values, needed).map { value, needed in
          Variable(value, node: needed ? inner.node() : nil)
        }
        body(leaves).backpropagate(gradient)
        return leaves.map { $0.node?.takeGradient() }
      }
    }
    return Variable(result.value, node: node)
  }
}
