import Tensors

/// Numbers the nodes of one graph. Without one, operations compute and record nothing.
package final class Recording {
  @TaskLocal private static var local: Unchecked?

  /// Task-local values must be sendable; a recording stays in the task that made it.
  private struct Unchecked: @unchecked Sendable { let recording: Recording? }

  private var count = 0

  package init() {}

  static var current: Recording? { local?.recording }

  func node(
    inputs: [Node?] = [], backward: ((Tensor) -> [Tensor?])? = nil
  ) -> Node {
    count += 1
    return Node(order: count, inputs: inputs, backward: backward)
  }

  /// Runs `body` so that what it computes is recorded here.
  package func record<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Self.$local.withValue(Unchecked(recording: self), operation: body)
  }

  /// Runs `body` without recording anything.
  package static func pause<Result>(_ body: () throws -> Result) rethrows -> Result {
    try $local.withValue(Unchecked(recording: nil), operation: body)
  }
}
