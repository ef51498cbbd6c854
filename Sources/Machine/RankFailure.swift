import FoundationEssentials

/// Why the ranks of a run stop.
package struct RankFailure: Error, Codable, Equatable, Sendable {
  /// What the first rank does about it.
  package enum Kind: String, Codable, Sendable {
    /// Wrong options.
    case usage
    /// Images, files, disks, connections: what can be mended.
    case fault
    /// Numbers that are none.
    case numbers
    /// The user.
    case interrupted
  }

  package let rank: Int
  package let host: String
  package let kind: Kind
  /// One line.
  package let reason: String
  /// Whether all ranks failed alike, as for an input that is missing everywhere.
  package private(set) var isShared = false

  package init(_ reason: String, _ kind: Kind, on ranks: any Communicator) {
    self.init(reason, kind, on: ranks.rank, ranks.host)
  }

  package init(_ reason: String, _ kind: Kind, on rank: Int, _ host: String) {
    (self.reason, self.kind, self.rank, self.host) = (reason, kind, rank, host)
  }

  /// What many failures come to: that of the lowest rank, and of those who were interrupted only where none failed.
  /// - Precondition: there are some.
  package init(of failures: [RankFailure], among count: Int) {
    self = failures.first { $0.kind != .interrupted } ?? failures[0]
    isShared = failures.count == count && failures.allSatisfy { $0.reason == reason }
  }

  /// As a message.
  package var encoded: [UInt8] { (try? JSONEncoder().encode(self)).map(Array.init) ?? [] }

  package init?(decoding message: [UInt8]) {
    guard let failure = try? JSONDecoder().decode(Self.self, from: Data(message)) else {
      return nil
    }
    self = failure
  }
}

extension RankFailure: CustomStringConvertible {
  package var description: String { isShared ? reason : "rank \(rank) (\(host)): \(reason)" }
}
