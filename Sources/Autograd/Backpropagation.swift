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
  private var heap: [Node] = []
  private var known: Set<ObjectIdentifier> = []

  mutating func insert(_ node: Node) {
    guard known.insert(ObjectIdentifier(node)).inserted else { return }
    heap.append(node)
    var child = heap.count - 1
    while child > 0, heap[(child - 1) / 2].order < heap[child].order {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func popLast() -> Node? {
    guard let last = heap.popLast() else { return nil }
    guard let first = heap.first else { return last.forgotten(by: &known) }
    heap[0] = last
    var parent = 0
    while true {
      var largest = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].order > heap[largest].order { largest = child }
      guard largest != parent else { break }
      heap.swapAt(parent, largest)
      parent = largest
    }
    return first.forgotten(by: &known)
  }
}

extension Node {
  /// A visited node is not met again: whatever uses it was recorded later.
  fileprivate func forgotten(by known: inout Set<ObjectIdentifier>) -> Node {
    known.remove(ObjectIdentifier(self))
    return self
  }
}
