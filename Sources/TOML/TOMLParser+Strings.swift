extension TOMLParser {
  /// `"…"` or `"""…"""`, with escapes.
  mutating func basicString() throws(TOMLError) -> String {
    let start = position
    let isLong = follows("\"\"\"")
    position += isLong ? 3 : 1
    if isLong { _ = skipNewline() }
    var text: [UInt8] = []
    while true {
      guard let byte = peek else { throw unclosed(start) }
      switch byte {
      case UInt8(ascii: "\""):
        guard isLong else {
          position += 1
          return String(decoding: text, as: UTF8.self)
        }
        if try closes(UInt8(ascii: "\""), &text) { return String(decoding: text, as: UTF8.self) }
      case UInt8(ascii: "\\"):
        if isLong, skipLineEnd() { continue }
        try escape(&text, start: start)
      default: try take(&text, isLong, start)
      }
    }
  }

  /// `'…'` or `'''…'''`, as it stands.
  mutating func literalString() throws(TOMLError) -> String {
    let start = position
    let isLong = follows("'''")
    position += isLong ? 3 : 1
    if isLong { _ = skipNewline() }
    var text: [UInt8] = []
    while true {
      guard let byte = peek else { throw unclosed(start) }
      if byte != UInt8(ascii: "'") {
        try take(&text, isLong, start)
      } else if !isLong {
        position += 1
        return String(decoding: text, as: UTF8.self)
      } else if try closes(byte, &text) {
        return String(decoding: text, as: UTF8.self)
      }
    }
  }

  /// Takes quotes: three end a long string, of up to five the first two are its last characters.
  private mutating func closes(_ quote: UInt8, _ text: inout [UInt8]) throws(TOMLError) -> Bool {
    var count = 0
    while count < 6, peek == quote {
      count += 1
      position += 1
    }
    if count == 6 {
      position -= 1
      throw unexpected("the end of the string")
    }
    text += repeatElement(quote, count: count < 3 ? count : count - 3)
    return count >= 3
  }

  /// Takes one byte of text or one line end.
  private mutating func take(
    _ text: inout [UInt8], _ isLong: Bool, _ start: Int
  ) throws(TOMLError) {
    let byte = bytes[position]
    if byte == UInt8(ascii: "\n") || follows("\r\n") {
      guard isLong else { throw unclosed(start) }
      _ = skipNewline()
      text.append(UInt8(ascii: "\n"))
      return
    }
    guard !byte.isControl else { throw unexpected("a string without control characters") }
    text.append(byte)
    position += 1
  }

  /// A backslash at the end of a line and all blanks and line ends after it.
  private mutating func skipLineEnd() -> Bool {
    let start = position
    position += 1
    skipBlanks()
    guard skipNewline() else {
      position = start
      return false
    }
    repeat { skipBlanks() } while skipNewline()
    return true
  }

  private mutating func escape(_ text: inout [UInt8], start: Int) throws(TOMLError) {
    let backslash = position
    position += 1
    guard let byte = peek else { throw unclosed(start) }
    position += 1
    switch byte {
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): text.append(byte)
    case UInt8(ascii: "u"), UInt8(ascii: "U"):
      let width = byte == UInt8(ascii: "u") ? 4 : 8
      let digits = bytes[position...].prefix(width)
      guard digits.count == width, digits.allSatisfy(\.isHexDigit),
        let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
      else { throw invalidEscape(backslash, "expected \(width) hexadecimal digits after it") }
      guard let scalar = Unicode.Scalar(value) else {
        throw error(
          at: backslash,
          "'\\\(Character(Unicode.Scalar(byte)))\(String(decoding: digits, as: UTF8.self))' is no character"
        )
      }
      position += width
      text += Array(String(scalar).utf8)
    default:
      position -= 1
      throw invalidEscape(backslash, "found \(found) after it")
    }
  }

  /// A path of Windows in double quotes is the usual reason.
  private func invalidEscape(_ backslash: Int, _ detail: String) -> TOMLError {
    error(
      at: backslash,
      "a backslash in double quotes begins an escape, \(detail); \(String.singleQuotesHint)")
  }

  private func unclosed(_ start: Int) -> TOMLError {
    error(at: start, "the string that begins here has no closing quote")
  }
}

extension UInt8 {
  var isHexDigit: Bool { Character(Unicode.Scalar(self)).isHexDigit && self < 0x80 }
  var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }
}
