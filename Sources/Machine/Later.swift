import Dispatch
import Synchronization

/// A value that is computed on another thread from the beginning on, and waited for where it is used.
package final class Later<Value: Sendable>: Sendable {
  private let result = Mutex(Value?.none)
  private let isDone = DispatchSemaphore(value: 0)

  package init(_ compute: @escaping @Sendable () -> Value) {
    DispatchQueue.global(qos: .utility).async { [self] in
      let value = compute()
      result.withLock { $0 = value }
      isDone.signal()
    }
  }

  package var value: Value {
    isDone.wait()
    // For whoever asks after this.
    isDone.signal()
    guard let value = result.withLock({ $0 }) else { preconditionFailure("a value that is done") }
    return value
  }
}
