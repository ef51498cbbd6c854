/// The processes that share a run: each is a rank, and all do the same calls of this in the same order.
///
/// One process alone is the only rank of `SingleProcess`; several are joined by `Cluster`. Whoever works with it asks
/// nothing of how messages travel.
package protocol Communicator: AnyObject, Sendable {
  /// From 0; rank 0 writes, logs and speaks for all.
  var rank: Int { get }
  /// The names of the machines that the ranks are on, in the order of ranks.
  var hosts: [String] { get }

  /// Why all stop, once any of them has failed.
  var failure: RankFailure? { get }

  /// Hands a message to all ranks.
  /// - Returns: those of all, in the order of ranks.
  /// - Throws: where any rank has failed since the last call, or cannot be reached; the same on all ranks.
  func gather(_ message: [UInt8]) throws(RankFailure) -> [[UInt8]]

  /// Hands a message to rank 0.
  /// - Returns: those of all, in the order of ranks, on rank 0; nil on the others.
  /// - Throws: as `gather`
  func collect(_ message: [UInt8]) throws(RankFailure) -> [[UInt8]]?

  /// Tells the others that this rank cannot go on: their next `gather` throws. Where they do not come to it soon, all
  /// ranks end here.
  /// - Returns: what all throw, which is the failure of the first of those ranks that failed.
  func fail(_ failure: RankFailure) -> RankFailure

  /// Makes a sum of so many numbers over all ranks.
  func sum(of count: Int) -> any OrderedSum
}

/// Sums of numbers over ranks, term by term in the order of ranks, so that their bits are those of one process that
/// adds the same terms one after another.
///
/// Every rank owns a part of the numbers, which it sums; the parts are exchanged at the end.
package protocol OrderedSum: AnyObject {
  /// Adds the numbers of all ranks. -0.0 adds nothing, whatever it is added to.
  func add(_ values: [Float]) throws(RankFailure)

  /// Takes the sums, and begins anew.
  func collect(into values: inout [Float]) throws(RankFailure)
}

extension Communicator {
  package var count: Int { hosts.count }
  package var isFirst: Bool { rank == 0 }
  package var host: String { hosts[rank] }

  /// How many ranks share this machine.
  package var countOnHost: Int { hosts.count { $0 == host } }

  /// Waits for all ranks.
  /// - Throws: as `gather`
  package func agree() throws(RankFailure) {
    if count > 1 { _ = try gather([]) }
  }

  /// The message of rank 0.
  /// - Throws: as `gather`
  package func first(_ message: @autoclosure () -> [UInt8]) throws(RankFailure) -> [UInt8] {
    count == 1 ? message() : try gather(isFirst ? message() : [])[0]
  }

  /// Which of some items this rank works on: every rank has one of each `count` that follow one another.
  package func isOwn(_ index: Int) -> Bool { index % count == rank }
}

/// A process that shares its work with no other.
package final class SingleProcess: Communicator {
  package let rank = 0
  package let hosts = ["localhost"]
  package var failure: RankFailure? { nil }

  package init() {}

  package func gather(_ message: [UInt8]) -> [[UInt8]] { [message] }
  package func collect(_ message: [UInt8]) -> [[UInt8]]? { [message] }
  package func fail(_ failure: RankFailure) -> RankFailure { failure }
  package func sum(of count: Int) -> any OrderedSum { SingleSum(count) }

  private final class SingleSum: OrderedSum {
    private var sums: [Float]

    init(_ count: Int) { sums = Array(repeating: -0.0, count: count) }

    func add(_ values: [Float]) {
      for i in sums.indices { sums[i] += values[i] }
    }

    func collect(into values: inout [Float]) {
      values = sums
      sums = Array(repeating: -0.0, count: sums.count)
    }
  }
}
