/// Runs `transform` on every item, at most `width` at a time, and hands the results to `consume`
/// in the order of the items, so that neither what is written nor what is complained of depends on
/// thread timing.
///
/// At most `width` results wait to be consumed: memory stays bounded when one item is slow.
/// - Throws: the first error in item order; what has not begun then is left. `CancellationError` if
///   the task is cancelled.
package func forEachInOrder<Item: Sendable, Output: Sendable>(
  _ items: [Item], width: Int,
  transform: @escaping @Sendable (Item) throws -> Output,
  consume: (Item, Output) throws -> Void
) async throws {
  precondition(width > 0, "width \(width)")
  try await withThrowingTaskGroup(of: (Int, Result<Output, any Error>).self) { group in
    var finished: [Int: Result<Output, any Error>] = [:]
    var (started, consumed) = (0, 0)
    func startNext() {
      guard started < items.count else { return }
      let (index, item) = (started, items[started])
      started += 1
      group.addTask {
        try Task.checkCancellation()
        return (index, Result { try transform(item) })
      }
    }
    for _ in 0..<width { startNext() }
    while let (index, result) = try await group.next() {
      finished[index] = result
      while let result = finished.removeValue(forKey: consumed) {
        try Task.checkCancellation()
        try consume(items[consumed], result.get())
        consumed += 1
        startNext()
      }
    }
  }
}

/// The results of `transform` in the order of the items, computed `width` at a time.
///
/// Items are started in descending order of `cost`, so that the workers finish together; one that takes long keeps no
/// other from being started. `finished` is called as they end.
/// - Throws: the error of the item that was started first among those that fail, whatever ends first; what has not
///   begun then is left. `CancellationError` if the task is cancelled.
package func concurrentMap<Item: Sendable, Result: Sendable>(
  _ items: [Item], width: Int, cost: (Item) -> Int,
  transform: @escaping @Sendable (Item) throws -> Result,
  finished: (Item) -> Void = { _ in }
) async throws -> [Result] {
  precondition(width > 0, "width \(width)")
  let costs = items.map(cost)
  let order = items.indices.sorted { (costs[$1], $0) < (costs[$0], $1) }
  var results = [Result?](repeating: nil, count: items.count)
  try await withThrowingTaskGroup(of: (Int, Swift.Result<Result, any Error>).self) { group in
    var started = 0
    // What is started is a beginning of `order`, so that the first failing item is among it as soon as any fails.
    var failure: (place: Int, error: any Error)?
    func startNext() {
      guard failure == nil, started < order.count else { return }
      let (place, item) = (started, items[order[started]])
      started += 1
      group.addTask {
        try Task.checkCancellation()
        return (place, Swift.Result { try transform(item) })
      }
    }
    for _ in 0..<width { startNext() }
    while let (place, result) = try await group.next() {
      try Task.checkCancellation()
      switch result {
      case .success(let result):
        results[order[place]] = result
        finished(items[order[place]])
      case .failure(let error) where place < failure?.place ?? .max: failure = (place, error)
      case .failure: break
      }
      startNext()
    }
    if let failure { throw failure.error }
  }
  return results.compactMap { $0 }
}
