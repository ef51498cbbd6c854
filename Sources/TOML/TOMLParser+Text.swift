extension TOMLParser {
  var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  /// Whether the bytes that follow are these.
  func follows(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard bytes.count - position >= count else { return false }
    return unsafe UnsafeBufferPointer(start: text.utf8Start, count: count)
      .elementsEqual(bytes[position..<position + count])
  }

  /// Spaces and tabs.
  mutating func skipBlanks() {
    while peek == UInt8(ascii: " ") || peek == UInt8(ascii: "\t") { position += 1 }
  }

  /// LF or CRLF, if it is next.
  mutating func skipNewline() -> Bool {
    if peek == UInt8(ascii: "\n") {
      position += 1
    } else if follows("\r\n") {
      position += 2
    } else {
      return false
    }
    return true
  }

  /// From `#` to the end of the line, if it is next.
  mutating func skipComment() throws(TOMLError) {
    guard peek == UInt8(ascii: "#") else { return }
    while let byte = peek, byte != UInt8(ascii: "\n"), !follows("\r\n") {
      guard !byte.isControl else { throw unexpected("a comment without control characters") }
      position += 1
    }
  }

  /// Blanks, line ends and comments, as they may stand within an array.
  mutating func skipLines() throws(TOMLError) {
    repeat {
      skipBlanks()
      try skipComment()
    } while skipNewline()
  }

  /// - Throws: if the bytes are not UTF-8.
  func checkEncoding() throws(TOMLError) {
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw error(at: 0, "expected text in UTF-8, found UTF-16: save the file as UTF-8")
    }
    guard String(validating: bytes, as: UTF8.self) == nil else { return }
    var start = 0
    var rest = bytes[...]
    while let length = rest.scalarLength {
      start += length
      rest = rest.dropFirst(length)
    }
    throw error(
      at: start, "expected text in UTF-8, found byte 0x\(hex(bytes[start])): save the file as UTF-8"
    )
  }

  /// - Throws: if this is JSON, which people try.
  mutating func refuseJSON() throws(TOMLError) {
    let start = position
    defer { position = start }
    while skipNewline() || peek == UInt8(ascii: " ") || peek == UInt8(ascii: "\t") {
      skipBlanks()
    }
    let first = position
    var isJSON = peek == UInt8(ascii: "{")
    if peek == UInt8(ascii: "[") {
      position += 1
      while skipNewline() || peek == UInt8(ascii: " ") { skipBlanks() }
      isJSON = peek == UInt8(ascii: "{")
    }
    guard !isJSON else {
      throw error(
        at: first,
        "expected TOML (key = value), found JSON: write it as TOML, or name a dataset configuration .json"
      )
    }
  }

  /// An error at a byte of the text.
  func error(at offset: Int, _ problem: String) -> TOMLError {
    let before = bytes[..<offset]
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let line = before.count { $0 == UInt8(ascii: "\n") } + 1
    // Bytes that continue a character do not count, nor does a byte order mark.
    let mark = lineStart == 0 && bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 1 : 0
    let column = before[lineStart...].count { $0 & 0xC0 != 0x80 } + 1 - mark
    return TOMLError(line: line, column: max(column, 1), problem: problem)
  }

  /// What stands at the position is not what was expected there.
  /// - Parameter hint: what to do if it is a character that does not belong there.
  func unexpected(_ expected: String, hint: String = "") -> TOMLError {
    let isEnd = peek.map { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") } ?? true
    return error(at: position, "expected \(expected), found \(found)\(isEnd ? "" : hint)")
  }

  /// The character at the position, for an error.
  var found: String {
    guard let byte = peek else { return "the end of the file" }
    if byte == UInt8(ascii: "\n") || follows("\r\n") { return "the end of the line" }
    if byte == UInt8(ascii: "'") { return "\"'\"" }
    let length = bytes[position...].scalarLength ?? 1
    let text = String(decoding: bytes[position..<position + length], as: UTF8.self)
    return
      "'\(text.unicodeScalars.map { $0 == "\\" || $0 == "\"" ? String($0) : $0.escaped }.joined())'"
  }

  private func hex(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return digits.count < 2 ? "0" + digits : digits
  }
}

extension UInt8 {
  /// A control character that no text may contain as it is; a tab may stand anywhere.
  var isControl: Bool { (self < 0x20 && self != 0x09) || self == 0x7F }
}

extension ArraySlice<UInt8> {
  /// Bytes of the first character; nil if there is none or it is not UTF-8.
  fileprivate var scalarLength: Int? {
    var decoder = UTF8()
    var iterator = makeIterator()
    guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return nil }
    return UTF8.width(scalar)
  }
}
