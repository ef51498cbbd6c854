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
/// Items are started in descending order of `cost`, so that the workers finish together.
package func concurrentMap<Item: Sendable, Result: Sendable>(
  _ items: [Item], width: Int, cost: (Item) -> Int,
  transform: @escaping @Sendable (Item) throws -> Result,
  finished: (Item) -> Void = { _ in }
) async throws -> [Result] {
  let costs = items.map(cost)
  let order = items.indices.sorted { (costs[$1], $0) < (costs[$0], $1) }
  var results = [Result?](repeating: nil, count: items.count)
  try await forEachInOrder(
    order, width: width, transform: { try transform(items[$0]) },
    consume: {
      results[$0] = $1
      finished(items[$0])
    })
  return results.compactMap { $0 }
}
