import HeapModule
package import Tensors

extension Variable {
  /// Finds the gradients of all parameters that this value was made from, and lets go of the graph.
  /// - Parameter seed: the gradient of what is minimized with respect to this value; 1 for a scalar.
  package func backpropagate(_ seed: Tensor? = nil) {
    guard let node else { return }
    node.accumulate(seed ?? Tensor(shape, [Float](repeating: 1, count: shape.count)))
    Self.propagate(from: node)
  }

  /// Visits nodes in descending order of recording; each is reached only after all that use it.
  static func propagate(from root: Node) {
    var waiting = NodeQueue()
    waiting.insert(root)
    while let node = waiting.popLast() {
      for case let input? in node.inputs { waiting.insert(input) }
      node.propagate()
    }
  }
}

/// Nodes to visit, the one recorded last first, each once.
private struct NodeQueue {
  private struct Entry: Comparable {
    let node: Node

    static func == (a: Entry, b: Entry) -> Bool { a.node.order == b.node.order }
    static func < (a: Entry, b: Entry) -> Bool { a.node.order < b.node.order }
  }

  private var waiting = Heap<Entry>()
  private var known: Set<ObjectIdentifier> = []

  mutating func insert(_ node: Node) {
    guard known.insert(ObjectIdentifier(node)).inserted else { return }
    waiting.insert(Entry(node: node))
  }

  mutating func popLast() -> Node? {
    guard let node = waiting.popMax()?.node else { return nil }
    // A visited node is not met again: whatever uses it was recorded later.
    known.remove(ObjectIdentifier(node))
    return node
  }
}
