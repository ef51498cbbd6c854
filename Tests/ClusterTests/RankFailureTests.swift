import Machine
import Testing

/// What the ranks of a run are told where some of them fail.
@Suite struct RankFailureTests {
  /// One of three ranks, which reaches no other.
  private final class Rank: Communicator {
    let rank: Int
    let hosts = ["a", "a", "b"]
    let failure: RankFailure? = nil

    init(_ rank: Int) { self.rank = rank }

    func gather(_ message: [UInt8]) -> [[UInt8]] { [message] }
    func collect(_ message: [UInt8]) -> [[UInt8]]? { nil }
    func fail(_ failure: RankFailure) -> RankFailure { failure }
    func sum(of count: Int) -> any OrderedSum { SingleProcess().sum(of: count) }
  }

  private func failure(
    _ rank: Int, _ reason: String, _ kind: RankFailure.Kind = .fault
  ) -> RankFailure { RankFailure(reason, kind, on: Rank(rank)) }

  @Test func theFirstThatFailedIsTold() throws {
    let found = RankFailure(of: [failure(1, "disk"), failure(2, "picture")], among: 3)
    #expect("\(found)" == "rank 1 (a): disk")
    #expect(RankFailure(decoding: found.encoded) == found)
    #expect(RankFailure(decoding: [0x7B]) == nil)
  }

  /// Who was only interrupted says nothing of the cause.
  @Test func aCauseComesBeforeAnInterruption() {
    let found = RankFailure(
      of: [failure(0, "interrupted", .interrupted), failure(2, "picture")], among: 3)
    #expect("\(found)" == "rank 2 (b): picture")
  }

  /// As one process says it.
  @Test func whatAllSayNamesNoRank() {
    let found = RankFailure(of: (0..<3).map { failure($0, "no checkpoint", .usage) }, among: 3)
    #expect(found.isShared && "\(found)" == "no checkpoint")
    let two = RankFailure(of: (0..<2).map { failure($0, "no checkpoint", .usage) }, among: 3)
    #expect(!two.isShared && "\(two)" == "rank 0 (a): no checkpoint")
  }

  @Test func ranksOfOneMachineAreCounted() {
    #expect((0..<3).map { Rank($0).countOnHost } == [2, 2, 1])
    #expect((0..<7).map { Rank(1).isOwn($0) } == [false, true, false, false, true, false, false])
  }

  /// Negative zero adds nothing, not even to itself.
  @Test func sumsBeginWithNothing() throws {
    let sum = SingleProcess().sum(of: 3)
    var values: [Float] = [0, 0, 0]
    try sum.add([-0.0, 0, 1])
    try sum.add([-0.0, -0.0, 0.5])
    try sum.collect(into: &values)
    #expect(values.map(\.bitPattern) == [-0.0, 0, 1.5].map(\Float.bitPattern))
  }
}
