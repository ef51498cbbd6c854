import Machine
import ModelFamilies

/// Which of the items of an extraction this rank works on: all ranks have about the same cost.
struct ExtractionShare: Sendable {
  let ranks: any Communicator
  private let own: Set<String>

  init(of items: [ExtractionPlan.Item], over ranks: any Communicator) {
    self.ranks = ranks
    guard ranks.count > 1 else {
      own = []
      return
    }
    var own: Set<String> = []
    var loads = ranks.hosts.map { _ in 0 }
    let largestFirst = items.indices.sorted { (items[$1].cost, $0) < (items[$0].cost, $1) }
    for index in largestFirst {
      let rank = loads.indices.min { (loads[$0], $0) < (loads[$1], $1) } ?? 0
      loads[rank] += items[index].cost
      if rank == ranks.rank { own.insert(Self.name(of: items[index])) }
    }
    self.own = own
  }

  private static func name(of item: ExtractionPlan.Item) -> String {
    "\(item.module.adapterName) \(item.part.rawValue)"
  }

  func isOwn(_ item: ExtractionPlan.Item) -> Bool {
    ranks.count == 1 || own.contains(Self.name(of: item))
  }

  /// What ranks find of their items, in the order of all items.
  /// - Parameters:
  ///   - found: of the own items, by their places among all.
  ///   - isForAll: whether all ranks are told, or the first one alone.
  /// - Returns: nil for what this rank is not told.
  func results<Found>(
    _ found: [(place: Int, value: Found)], of count: Int, isForAll: Bool,
    write: (Found, inout Message) -> Void, read: (inout MessageReader) -> Found
  ) throws(RankFailure) -> [Found?] {
    var all = [Found?](repeating: nil, count: count)
    for entry in found { all[entry.place] = entry.value }
    guard ranks.count > 1 else { return all }
    var message = Message()
    if isForAll || !ranks.isFirst {
      for entry in found {
        message.append(entry.place)
        write(entry.value, &message)
      }
    }
    let messages = isForAll ? try ranks.gather(message.bytes) : try ranks.collect(message.bytes)
    for (rank, bytes) in (messages ?? []).enumerated() where rank != ranks.rank {
      var reader = MessageReader(bytes)
      while !reader.isAtEnd {
        let place = reader.integer()
        all[place] = read(&reader)
      }
    }
    return all
  }
}
