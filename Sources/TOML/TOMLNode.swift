/// A table while its document is read. Later lines may add to it, by rules that depend on how it came to be.
final class TOMLNode {
  enum Origin {
    /// By a header of a table below it; its own header may follow.
    case implied
    /// By its header.
    case header
    /// By a dotted key; only dotted keys of the same section may add to it.
    case dotted
  }

  enum Entry {
    case value(TOMLValue)
    case table(TOMLNode)
    case tables(TOMLNodes)
  }

  var origin: Origin
  private var keys: [String] = []
  private var entries: [TOMLKey: Entry] = [:]

  init(_ origin: Origin) { self.origin = origin }

  subscript(_ key: String) -> Entry? { entries[TOMLKey(key)] }

  /// - Precondition: there is none of that key.
  func append(_ key: String, _ entry: Entry) {
    entries[TOMLKey(key)] = entry
    keys.append(key)
  }

  /// What was read, as a value. Recursion is bounded by what the parser lets through.
  var table: TOMLTable {
    var table = TOMLTable()
    for key in keys {
      switch entries[TOMLKey(key)]! {
      case .value(let value): table.append(key, value)
      case .table(let node): table.append(key, .table(node.table))
      case .tables(let nodes): table.append(key, .array(nodes.list.map { .table($0.table) }))
      }
    }
    return table
  }
}

/// The tables of `[[headers]]` of one name, at least one.
final class TOMLNodes {
  var list: [TOMLNode]

  init(_ first: TOMLNode) { list = [first] }
}
