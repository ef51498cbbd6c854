import Dispatch
import Foundation
import Machine
import Synchronization

/// Ranks that are threads of one process: each does the same, and what one hands to all, all get.
final class RankThreads: Sendable {
  private let messages: Mutex<[[UInt8]]>
  private let count: Int
  /// How many messages a round lacks, and who waits for them.
  private let round: Mutex<(missing: Int, waiting: [DispatchSemaphore])>
  /// Rounds in all.
  let rounds = Mutex(0)

  init(_ count: Int) {
    self.count = count
    messages = Mutex(Array(repeating: [], count: count))
    round = Mutex((count, []))
  }

  /// Runs `body` on a thread for each rank.
  func run(_ body: @escaping @Sendable (any Communicator) throws -> Void) {
    let group = DispatchGroup()
    for index in 0..<count {
      group.enter()
      Thread.detachNewThread {
        defer { group.leave() }
        do {
          try body(Rank(index, of: self))
        } catch {
          preconditionFailure("rank \(index): \(error)")
        }
      }
    }
    group.wait()
  }

  /// The messages of all, once they are there.
  private func gather(_ message: [UInt8], of rank: Int) -> [[UInt8]] {
    messages.withLock { $0[rank] = message }
    meet { self.rounds.withLock { $0 += 1 } }
    let all = messages.withLock { $0 }
    // Nobody begins the next round before all have read this one.
    meet {}
    return all
  }

  private func meet(_ last: () -> Void) {
    let own = DispatchSemaphore(value: 0)
    let isLast = round.withLock { round in
      round.missing -= 1
      round.waiting.append(own)
      return round.missing == 0
    }
    if isLast {
      last()
      let waiting = round.withLock { round in
        defer { round = (count, []) }
        return round.waiting
      }
      for semaphore in waiting { semaphore.signal() }
    }
    own.wait()
  }

  private final class Rank: Communicator {
    let rank: Int
    let hosts: [String]
    let failure: RankFailure? = nil
    private let threads: RankThreads

    init(_ rank: Int, of threads: RankThreads) {
      (self.rank, self.threads) = (rank, threads)
      hosts = Array(repeating: "a", count: threads.count)
    }

    func gather(_ message: [UInt8]) -> [[UInt8]] { threads.gather(message, of: rank) }
    func collect(_ message: [UInt8]) -> [[UInt8]]? { rank == 0 ? gather(message) : nil }
    func fail(_ failure: RankFailure) -> RankFailure { failure }
    func sum(of count: Int) -> any OrderedSum { SingleProcess().sum(of: count) }
  }
}
