/// Reads TOML 1.0 (https://toml.io/en/v1.0.0), in one pass over the bytes.
///
/// Nothing in a text makes it trap: nesting is bounded, numbers are checked, and an error says line and
/// column. A byte order mark and CRLF are fine.
package struct TOMLParser {
  /// Levels of arrays, of inline tables and of the parts of a key. Real files have five; the recursion of the
  /// parser, and of whoever walks its result, must fit a small stack.
  static let depth = 100

  let bytes: [UInt8]
  var position = 0

  /// Reads a document.
  /// - Complexity: linear in its length.
  package static func table(parsing bytes: [UInt8]) throws(TOMLError) -> TOMLTable {
    var parser = TOMLParser(bytes: bytes)
    return try parser.document()
  }

  /// Reads a document.
  package static func table(parsing text: String) throws(TOMLError) -> TOMLTable {
    try table(parsing: Array(text.utf8))
  }

  private mutating func document() throws(TOMLError) -> TOMLTable {
    try checkEncoding()
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    try refuseJSON()
    let root = TOMLNode(.header)
    var section = root
    while true {
      skipBlanks()
      guard let byte = peek else { return root.table }
      switch byte {
      case UInt8(ascii: "#"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): break
      case UInt8(ascii: "["): section = try header(root)
      default: try assignment(section)
      }
      try endOfLine()
    }
  }

  /// `[a.b]` or `[[a.b]]`: the table that the lines after it fill.
  private mutating func header(_ root: TOMLNode) throws(TOMLError) -> TOMLNode {
    let start = position
    position += 1
    let isArray = peek == UInt8(ascii: "[")
    if isArray { position += 1 }
    skipBlanks()
    let path = try keys(isHeader: true)
    for _ in 0..<(isArray ? 2 : 1) {
      guard peek == UInt8(ascii: "]") else {
        throw unexpected(
          "'\(isArray ? "]]" : "]")' after the name of the table", hint: Self.keyHint)
      }
      position += 1
    }
    var node = root
    for (index, key) in path.dropLast().enumerated() {
      switch node[key] {
      case nil:
        let below = TOMLNode(.implied)
        node.append(key, .table(below))
        node = below
      case .table(let below): node = below
      case .tables(let nodes): node = nodes.list[nodes.list.count - 1]
      case .value:
        throw error(at: start, "\(Self.name(path[...index])) is a value already, not a table")
      }
    }
    let key = path[path.count - 1]
    switch (node[key], isArray) {
    case (nil, _):
      let section = TOMLNode(.header)
      node.append(key, isArray ? .tables(TOMLNodes(section)) : .table(section))
      return section
    case (.tables(let nodes), true):
      let section = TOMLNode(.header)
      nodes.list.append(section)
      return section
    case (.table(let section), false) where section.origin == .implied:
      section.origin = .header
      return section
    case (.tables, false):
      let name = Self.name(path[...])
      throw error(at: start, "\(name) is a list of tables: expected [[\(name)]], found [\(name)]")
    case (.table, _):
      throw error(at: start, "table \(Self.name(path[...])) is there already")
    case (.value, _):
      throw error(at: start, "\(Self.name(path[...])) is a value already, not a table")
    }
  }

  /// `a.b = value`, into a table.
  mutating func assignment(_ table: TOMLNode, level: Int = 0) throws(TOMLError) {
    let start = position
    let path = try keys(isHeader: false)
    guard peek == UInt8(ascii: "=") else {
      throw unexpected("'=' after key \(Self.name(path[...]))", hint: Self.keyHint)
    }
    position += 1
    skipBlanks()
    var node = table
    for (index, key) in path.dropLast().enumerated() {
      switch node[key] {
      case nil:
        let below = TOMLNode(.dotted)
        node.append(key, .table(below))
        node = below
      case .table(let below) where below.origin == .dotted: node = below
      default:
        throw error(
          at: start, "\(Self.name(path[...index])) is there already; a dotted key cannot add to it")
      }
    }
    let key = path[path.count - 1]
    guard node[key] == nil else {
      throw error(at: start, "key \(Self.name(path[...])) is there already")
    }
    node.append(key, .value(try value(level: level)))
  }

  /// Blanks, a comment, and the end of the line or of the text.
  private mutating func endOfLine() throws(TOMLError) {
    skipBlanks()
    try skipComment()
    guard peek != nil else { return }
    guard skipNewline() else { throw unexpected("the end of the line") }
  }
}
