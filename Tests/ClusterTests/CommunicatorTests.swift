import Machine
import Synchronization
import Testing

/// What ranks do together over `gather`.
@Suite struct CommunicatorTests {
  /// Whatever fits into a message, and however many items ranks have.
  @Test(arguments: [(1 << 20, 1), (40, 3), (1, 7)])
  func itemsComeToAll(size: Int, rounds: Int) {
    let threads = RankThreads(3)
    let found = Mutex<[Int: [String]]>([:])
    threads.run { ranks in
      // 0, 7 and 3 items of 3 bytes, each behind its sign and length.
      let own = (0..<[0, 7, 3][ranks.rank]).map { "\(ranks.rank)-\($0)" }
      var others: [String] = []
      try ranks.hand(
        own, upTo: size, write: { $1.append($0) }, receive: { others.append($0.text()) })
      found.withLock { $0[ranks.rank] = others }
    }
    let (first, second) = ((0..<7).map { "1-\($0)" }, (0..<3).map { "2-\($0)" })
    let all = found.withLock { $0 }
    #expect(all[0]?.sorted() == first + second && all[1] == second && all[2] == first)
    #expect(threads.rounds.withLock { $0 } == rounds)
  }

  @Test func whatDiffersIsNamed() {
    let threads = RankThreads(3)
    let found = Mutex<[RankDifference]>([])
    threads.run { ranks in
      try ranks.checkAlike([("--seed", "1"), ("release", "1.0.0")])
      do {
        let own = ranks.rank == 2 ? [("--seed", "2")] : []
        try ranks.checkAlike([("release", "1.0.0")] + own)
      } catch let difference as RankDifference {
        found.withLock { $0.append(difference) }
      }
    }
    let expected = RankDifference(rank: 2, host: "a", name: "--seed", first: nil, found: "2")
    #expect(found.withLock { $0 } == [expected, expected, expected])
    #expect(
      "\(expected)".hasPrefix("rank 2 (a): --seed: expected none as on rank 0, found '2'; all"))
  }
}
