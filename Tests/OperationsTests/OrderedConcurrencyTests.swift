import Glibc
import Operations
import Synchronization
import Testing

/// One test after the other: an item that waits for others holds one of the pool's few threads, and two such tests would
/// wait for each other's.
@Suite(.serialized) struct OrderedConcurrencyTests {
  struct Failure: Error, Equatable {
    let item: Int
  }

  /// How many calls run at a time.
  final class Gauge: Sendable {
    private let counts = Mutex((running: 0, most: 0))

    func enter() { counts.withLock { $0 = ($0.running + 1, max($0.most, $0.running + 1)) } }
    func leave() { counts.withLock { $0.running -= 1 } }
    var most: Int { counts.withLock { $0.most } }
  }

  /// Holds the thread until something is so, for 20 s at most: what makes it so may need a thread that other suites hold.
  private static func hold(until isSo: () -> Bool) {
    var milliseconds = 0
    while !isSo(), milliseconds < 20_000 {
      usleep(1000)
      milliseconds += 1
    }
  }

  @Test(arguments: [1, 2, 3, 8, 200])
  func deliversInOrder(width: Int) async throws {
    var delivered: [Int] = []
    try await forEachInOrder(Array(0..<100), width: width) { item in
      // Uneven work, so that later items finish first.
      var sum = 0
      for i in 0..<((item * 7919) % 13) * 300 { sum &+= i }
      return item * 2 + (sum & 0)
    } consume: { item, result in
      #expect(result == 2 * item)
      delivered.append(item)
    }
    #expect(delivered == Array(0..<100))
  }

  /// No more than `width` items are begun and not yet consumed.
  @Test(arguments: [1, 2, 5])
  func boundsWhatIsInFlight(width: Int) async throws {
    let gauge = Gauge()
    try await forEachInOrder(Array(0..<50), width: width) { item in
      gauge.enter()
      return item
    } consume: { _, _ in
      gauge.leave()
    }
    #expect(gauge.most <= width)
    #expect(gauge.most > 0)
  }

  @Test func throwsWhatATransformThrows() async {
    await #expect(throws: Failure(item: 7)) {
      try await forEachInOrder(Array(0..<50), width: 3) { item in
        if item == 7 { throw Failure(item: item) }
        return item
      } consume: { item, _ in
        #expect(item < 7)
      }
    }
  }

  /// The error of the item that comes first, though a later one fails before it.
  @Test func throwsTheFirstErrorOfTheItems() async {
    let hasFailed = Mutex(false)
    await #expect(throws: Failure(item: 1)) {
      try await forEachInOrder(Array(0..<50), width: 3) { item in
        if item == 1 { Self.hold { hasFailed.withLock { $0 } } }
        if item == 2 { hasFailed.withLock { $0 = true } }
        if item == 1 || item == 2 { throw Failure(item: item) }
        return item
      } consume: { item, _ in
        #expect(item == 0)
      }
    }
  }

  @Test func throwsWhatAConsumerThrows() async {
    var consumed = 0
    await #expect(throws: Failure(item: 3)) {
      try await forEachInOrder(
        Array(0..<50), width: 4, transform: { $0 },
        consume: { item, _ in
          consumed += 1
          if item == 3 { throw Failure(item: item) }
        })
    }
    #expect(consumed == 4)
  }

  @Test func stopsWhenCancelled() async throws {
    let consumed = Mutex(0)
    let task = Task {
      try await forEachInOrder(
        Array(0..<10_000), width: 2, transform: { $0 },
        consume: { item, _ in
          consumed.withLock { $0 += 1 }
          if item == 5 { withUnsafeCurrentTask { $0?.cancel() } }
        })
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(consumed.withLock { $0 } == 6)
  }

  @Test func passesOverNoItems() async throws {
    try await forEachInOrder(
      [Int](), width: 4, transform: { $0 },
      consume: { _, _ in Issue.record("nothing to consume") })
  }

  /// A slow item keeps no other from being started.
  @Test(.timeLimit(.minutes(1))) func mapsBesideASlowItem() async throws {
    let done = Mutex(0)
    let found = try await concurrentMap(
      Array(0..<40), width: 2, cost: { -$0 },
      transform: { item in
        if item == 0 { Self.hold { done.withLock { $0 } == 39 } }
        done.withLock { $0 += 1 }
        return item
      })
    #expect(found == Array(0..<40))
  }

  /// The error of the item that is started first, though a later one fails before it, and nothing is started after.
  @Test func mapThrowsTheFirstErrorOfTheItems() async {
    let hasFailed = Mutex(false)
    let started = Mutex(0)
    await #expect(throws: Failure(item: 1)) {
      try await concurrentMap(
        Array(0..<50), width: 3, cost: { -$0 },
        transform: { item in
          started.withLock { $0 += 1 }
          if item == 1 { Self.hold { hasFailed.withLock { $0 } } }
          if item == 2 { hasFailed.withLock { $0 = true } }
          if item == 1 || item == 2 { throw Failure(item: item) }
          return item
        })
    }
    #expect(started.withLock { $0 } < 50)
  }

  @Test func mapsInTheOrderOfTheItems() async throws {
    var finished = 0
    let found = try await concurrentMap(
      Array(0..<40), width: 3, cost: { $0 % 5 }, transform: { $0 * $0 },
      finished: { _ in finished += 1 })
    #expect(found == (0..<40).map { $0 * $0 })
    #expect(finished == 40)
  }
}
