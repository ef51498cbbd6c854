extension TOMLParser {
  static let keyHint = "; a name of other characters than a-z, A-Z, 0-9, _ and - stands in quotes"

  /// The parts of a dotted key and the blanks after it.
  mutating func keys(isHeader: Bool) throws(TOMLError) -> [String] {
    var path: [String] = []
    while true {
      guard path.count < Self.depth else {
        throw error(at: position, "a key of more than \(Self.depth) parts")
      }
      path.append(try key(isHeader))
      skipBlanks()
      guard peek == UInt8(ascii: ".") else { return path }
      position += 1
      skipBlanks()
    }
  }

  private mutating func key(_ isHeader: Bool) throws(TOMLError) -> String {
    if peek == UInt8(ascii: "\"") || peek == UInt8(ascii: "'") {
      guard !follows("\"\"\""), !follows("'''") else {
        throw error(at: position, "a key is on one line: expected one quote, found three")
      }
      return try peek == UInt8(ascii: "\"") ? basicString() : literalString()
    }
    let start = position
    while let byte = peek, byte.isBareKey { position += 1 }
    guard position > start else {
      throw unexpected(isHeader ? "the name of a table" : "a key", hint: Self.keyHint)
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  /// A path as it is named in an error.
  static func name(_ path: ArraySlice<String>) -> String {
    path.map { TOMLKey($0).description }.joined(separator: ".")
  }

}
