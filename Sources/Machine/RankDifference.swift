/// What one of the ranks has otherwise than the first.
package struct RankDifference: Error, Equatable, Sendable {
  package let rank: Int
  package let host: String
  /// By a name that a user knows.
  package let name: String
  /// What it is to the first rank and to this one; nil where it has none.
  package let first: String?
  package let found: String?

  package init(rank: Int, host: String, name: String, first: String?, found: String?) {
    (self.rank, self.host, self.name, self.first, self.found) = (rank, host, name, first, found)
  }
}

extension RankDifference: CustomStringConvertible {
  package var description: String {
    func text(_ value: String?) -> String { value.map { "'\($0)'" } ?? "none" }
    return
      "rank \(rank) (\(host)): \(name): expected \(text(first)) as on rank 0, found \(text(found)); all ranks need "
      + "the same command and the same files, under the same names"
  }
}

extension Communicator {
  /// Checks that all ranks have the same of something.
  /// - Parameter facts: names that a user knows, in any order, each with a value.
  /// - Throws: `RankDifference`, the same on all ranks; as `gather`
  package func checkAlike(_ facts: @autoclosure () -> [(name: String, value: String)]) throws {
    guard count > 1 else { return }
    var message = Message()
    for (name, value) in facts().sorted(by: { ($0.name, $0.value) < ($1.name, $1.value) }) {
      message.append(name)
      message.append(value)
    }
    let all = try gather(message.bytes)
    guard let other = all.firstIndex(where: { $0 != all[0] }) else { return }
    func values(_ rank: Int) -> [String: String] {
      var reader = MessageReader(all[rank])
      var values: [String: String] = [:]
      while !reader.isAtEnd { values[reader.text()] = reader.text() }
      return values
    }
    let (first, found) = (values(0), values(other))
    let names = Set(first.keys).union(found.keys).sorted()
    let name = names.first { first[$0] != found[$0] } ?? ""
    throw RankDifference(
      rank: other, host: hosts[other], name: name, first: first[name], found: found[name])
  }
}
