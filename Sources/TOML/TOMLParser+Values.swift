extension TOMLParser {
  /// - Parameter level: of arrays and inline tables that it lies in.
  mutating func value(level: Int) throws(TOMLError) -> TOMLValue {
    guard level < Self.depth else {
      throw error(at: position, "more than \(Self.depth) arrays and tables in one another")
    }
    guard let byte = peek else { throw unexpected("a value") }
    switch byte {
    case UInt8(ascii: "\""): return .string(try basicString())
    case UInt8(ascii: "'"): return .string(try literalString())
    case UInt8(ascii: "["): return .array(try array(level: level))
    case UInt8(ascii: "{"): return .table(try inlineTable(level: level))
    default: return try word()
    }
  }

  private mutating func array(level: Int) throws(TOMLError) -> [TOMLValue] {
    let start = position
    position += 1
    var elements: [TOMLValue] = []
    while true {
      try skipLines()
      if peek == UInt8(ascii: "]") { break }
      guard peek != nil else { throw unclosed(start, "]") }
      elements.append(try value(level: level + 1))
      try skipLines()
      if peek == UInt8(ascii: "]") { break }
      guard peek != nil else { throw unclosed(start, "]") }
      guard peek == UInt8(ascii: ",") else { throw unexpected("',' or ']' after an element") }
      position += 1
    }
    position += 1
    return elements
  }

  private mutating func inlineTable(level: Int) throws(TOMLError) -> TOMLTable {
    let start = position
    position += 1
    let node = TOMLNode(.header)
    skipBlanks()
    if peek == UInt8(ascii: "}") {
      position += 1
      return TOMLTable()
    }
    while true {
      skipBlanks()
      guard peek != nil, peek != UInt8(ascii: "\n"), !follows("\r\n") else {
        throw unclosed(start, "}")
      }
      try assignment(node, level: level + 1)
      skipBlanks()
      if peek == UInt8(ascii: "}") { break }
      guard peek != nil, peek != UInt8(ascii: "\n"), !follows("\r\n") else {
        throw unclosed(start, "}")
      }
      guard peek == UInt8(ascii: ",") else { throw unexpected("',' or '}' after a value") }
      position += 1
    }
    position += 1
    return node.table
  }

  private func unclosed(_ start: Int, _ bracket: String) -> TOMLError {
    error(
      at: start,
      bracket == "}"
        ? "the table that begins here has no '}' on its line"
        : "the array that begins here has no ']'")
  }

  /// A value without quotes: a truth, a number or a date.
  private mutating func word() throws(TOMLError) -> TOMLValue {
    let start = position
    while let byte = peek,
      byte.isBareKey || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".")
        || byte == UInt8(ascii: ":")
    { position += 1 }
    // A date may have a blank before its time.
    if position - start == 10, peek == UInt8(ascii: " "), bytes[start + 4] == UInt8(ascii: "-"),
      bytes[(position + 1)...].first?.isDigit == true
    {
      position += 1
      while let byte = peek,
        byte.isBareKey || byte == UInt8(ascii: "+")
          || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
      { position += 1 }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard position > start else {
      throw unexpected("a value", hint: "; texts stand in quotes")
    }
    switch text {
    case "true": return .bool(true)
    case "false": return .bool(false)
    default: break
    }
    do {
      if let number = try TOMLNumber.value(of: text) { return number }
    } catch {
      throw self.error(at: start, error.problem)
    }
    if TOMLDate.isValid(text) { return .date(text) }
    let shown = text.count > 40 ? text.prefix(40) + "…" : text[...]
    throw error(
      at: start, "expected a value, found \(shown)\(Self.hint(text)); texts stand in quotes")
  }

  private static func hint(_ text: String) -> String {
    switch text.lowercased() {
    case "true", "false": " (in TOML it is \(text.lowercased()))"
    case "none", "null": " (TOML has none: leave the key out)"
    default: ""
    }
  }
}
