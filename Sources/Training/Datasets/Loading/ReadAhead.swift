import Dispatch
import Synchronization

/// Computes results for items ahead of who takes them, on threads of its own, and gives them out in the order
/// of the items.
///
/// At most `ahead` results wait or are being made. What is computed depends on the item alone, so neither the
/// number of threads nor their timing shows.
final class ReadAhead<Item: Sendable, Output: Sendable>: Sendable {
  /// One result, which may not be there yet.
  private final class Slot: Sendable {
    let isDone = DispatchSemaphore(value: 0)
    let result = Mutex<Result<Output, any Error>?>(nil)
  }

  private struct State {
    /// Of items that are started and not taken, oldest first.
    var slots: [Slot] = []
    /// Items that are started.
    var started = 0
    var isCancelled = false
  }

  private let items: [Item]
  private let queues: [DispatchQueue]
  private let transform: @Sendable (Item) throws -> Output
  private let state = Mutex(State())

  /// Starts at once.
  /// - Precondition: `threads` and `ahead` are positive.
  init(
    _ items: [Item], threads: Int, ahead: Int,
    transform: @escaping @Sendable (Item) throws -> Output
  ) {
    precondition(threads > 0 && ahead > 0, "\(threads) threads, \(ahead) items ahead")
    self.items = items
    self.transform = transform
    queues = (0..<threads).map { DispatchQueue(label: "lyco.read-ahead.\($0)", qos: .utility) }
    state.withLock { state in for _ in 0..<ahead { start(&state) } }
  }

  deinit { cancel() }

  /// The next result, waiting for it if need be; nil behind the last one.
  /// - Throws: what the transform threw, after which there is nothing more; `CancellationError`
  func next() throws -> Output? {
    let slot: Slot? = try state.withLock { state in
      if state.isCancelled { throw CancellationError() }
      guard !state.slots.isEmpty else { return nil }
      return state.slots.removeFirst()
    }
    guard let slot else { return nil }
    slot.isDone.wait()
    guard let result = slot.result.withLock({ $0.take() }) else { throw CancellationError() }
    switch result {
    case .success(let output):
      state.withLock { start(&$0) }
      return output
    case .failure(let error):
      cancel()
      throw error
    }
  }

  /// Starts nothing more; what is being computed is dropped when done.
  func cancel() { state.withLock { $0.isCancelled = true } }

  private var isCancelled: Bool { state.withLock { $0.isCancelled } }

  private func start(_ state: inout State) {
    guard !state.isCancelled, state.started < items.count else { return }
    let (slot, item) = (Slot(), items[state.started])
    let queue = queues[state.started % queues.count]
    state.slots.append(slot)
    state.started += 1
    queue.async { [weak self, transform] in
      defer { slot.isDone.signal() }
      guard let self, !self.isCancelled else {
        slot.result.withLock { $0 = .failure(CancellationError()) }
        return
      }
      let result = Result { try transform(item) }
      slot.result.withLock { $0 = result }
    }
  }
}
