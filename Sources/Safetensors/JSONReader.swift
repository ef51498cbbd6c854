import SystemPackage

/// A strict pull reader of JSON (RFC 8259), for headers and shard indexes.
///
/// It reads what the reference implementation's parser reads and refuses what that one refuses:
/// raw control characters, lone surrogates, leading zeros, numbers too large for a double, more
/// than 127 levels of nesting.
struct JSONReader: ~Escapable {
  static let deepestNesting = 127

  private let bytes: Span<UInt8>
  let file: FilePath
  private(set) var position = 0
  /// Named in errors.
  var tensor: String?
  private var depth = 0

  /// - Throws: `notUTF8`
  @_lifetime(copy bytes)
  init(_ bytes: Span<UInt8>, of file: FilePath) throws(SafetensorsError) {
    do {
      _ = try UTF8Span(validating: bytes)
    } catch {
      throw .notUTF8(file, offset: error.byteOffsets.lowerBound)
    }
    self.bytes = bytes
    self.file = file
  }

  // MARK: Structure

  /// Consumes `{`.
  mutating func openObject() throws(SafetensorsError) {
    try consume(UInt8(ascii: "{"), or: .object)
    try descend()
  }

  /// Consumes `[`.
  mutating func openArray() throws(SafetensorsError) {
    try consume(UInt8(ascii: "["), or: .array)
    try descend()
  }

  /// The next member's name, its colon consumed, or `nil` once `}` is.
  mutating func nextKey(_ isFirst: inout Bool) throws(SafetensorsError) -> String? {
    skipSpace()
    if current == UInt8(ascii: "}") {
      position += 1
      depth -= 1
      return nil
    }
    if !isFirst {
      try consume(UInt8(ascii: ","), or: .commaOrBrace)
      skipSpace()
    }
    guard current == UInt8(ascii: "\"") else { throw failure(.key) }
    isFirst = false
    let key = try readString()
    try consume(UInt8(ascii: ":"), or: .colon)
    return key
  }

  /// Whether an element follows; `false` once `]` is consumed.
  mutating func nextElement(_ isFirst: inout Bool) throws(SafetensorsError) -> Bool {
    skipSpace()
    if current == UInt8(ascii: "]") {
      position += 1
      depth -= 1
      return false
    }
    if !isFirst {
      try consume(UInt8(ascii: ","), or: .commaOrBracket)
      skipSpace()
      guard current != UInt8(ascii: "]") else { throw failure(.value) }
    }
    isFirst = false
    return true
  }

  /// Only white space may be left.
  mutating func finish() throws(SafetensorsError) {
    skipSpace()
    guard position == bytes.count else { throw failure(.end) }
  }

  // MARK: Values

  /// The first byte of the next token; `nil` at the end.
  mutating func peek() -> UInt8? {
    skipSpace()
    return current
  }

  /// Reads over any value.
  mutating func skipValue() throws(SafetensorsError) {
    var isFirst = true
    switch peek() {
    case UInt8(ascii: "{"):
      try openObject()
      while try nextKey(&isFirst) != nil { try skipValue() }
    case UInt8(ascii: "["):
      try openArray()
      while try nextElement(&isFirst) { try skipValue() }
    case UInt8(ascii: "\""): _ = try readString()
    case UInt8(ascii: "t"): try consume(word: "true")
    case UInt8(ascii: "f"): try consume(word: "false")
    case UInt8(ascii: "n"): try readNull()
    case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): _ = try readNumber()
    default: throw failure(.value)
    }
  }

  mutating func readNull() throws(SafetensorsError) { try consume(word: "null") }

  /// The text of a number.
  mutating func readNumber() throws(SafetensorsError) -> String {
    skipSpace()
    let start = position
    if current == UInt8(ascii: "-") { position += 1 }
    if current == UInt8(ascii: "0") {
      position += 1
      if isDigit(current) { throw failure(.value) }
    } else {
      try skipDigits()
    }
    if current == UInt8(ascii: ".") {
      position += 1
      try skipDigits()
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      try skipDigits()
    }
    let number = text(start..<position)
    guard Double(number)?.isFinite == true else {
      throw .syntax(
        file, tensor: tensor, offset: start, expected: .finiteNumber, found: bytes[start])
    }
    return number
  }

  /// A string, unescaped.
  mutating func readString() throws(SafetensorsError) -> String {
    skipSpace()
    try consume(UInt8(ascii: "\""), or: .string)
    var string = ""
    var start = position
    while true {
      switch current {
      case UInt8(ascii: "\""):
        let tail = text(start..<position)
        position += 1
        return string.isEmpty ? tail : string + tail
      case UInt8(ascii: "\\"):
        string += text(start..<position)
        position += 1
        string.unicodeScalars.append(try readEscape())
        start = position
      case .some(0x20...): position += 1
      default: throw failure(.closingQuote)
      }
    }
  }

  /// The scalar that the rest of an escape stands for.
  private mutating func readEscape() throws(SafetensorsError) -> Unicode.Scalar {
    let escape = current
    switch escape {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): break
    case UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"),
      UInt8(ascii: "t"), UInt8(ascii: "u"):
      break
    default: throw failure(.escape)
    }
    position += 1
    switch escape {
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try readCodeUnits()
    default: return Unicode.Scalar(escape ?? 0)
    }
  }

  /// One UTF-16 code unit after `\u`, or the two of a surrogate pair.
  private mutating func readCodeUnits() throws(SafetensorsError) -> Unicode.Scalar {
    let high = try readHexadecimal()
    if let scalar = Unicode.Scalar(high) { return scalar }
    guard high < 0xDC00, current == UInt8(ascii: "\\") else { throw failure(.surrogate) }
    position += 1
    guard current == UInt8(ascii: "u") else { throw failure(.surrogate) }
    position += 1
    let low = try readHexadecimal()
    guard (0xDC00...0xDFFF).contains(low),
      let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
    else { throw failure(.surrogate) }
    return scalar
  }

  private mutating func readHexadecimal() throws(SafetensorsError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure(.hexadecimal)
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  // MARK: Bytes

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func isDigit(_ byte: UInt8?) -> Bool {
    byte.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? false
  }

  private mutating func skipDigits() throws(SafetensorsError) {
    guard isDigit(current) else { throw failure(.digit) }
    while isDigit(current) { position += 1 }
  }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func consume(_ byte: UInt8, or expected: SafetensorsError.Syntax)
    throws(SafetensorsError)
  {
    skipSpace()
    guard current == byte else { throw failure(expected) }
    position += 1
  }

  private mutating func consume(word: StaticString) throws(SafetensorsError) {
    skipSpace()
    for byte in "\(word)".utf8 {
      guard current == byte else { throw failure(.value) }
      position += 1
    }
  }

  private mutating func descend() throws(SafetensorsError) {
    depth += 1
    guard depth <= Self.deepestNesting else {
      throw .nestedTooDeeply(file, limit: Self.deepestNesting)
    }
  }

  private func text(_ range: Range<Int>) -> String {
    // Valid UTF-8 cut at ASCII characters is valid.
    var text = unsafe UTF8Span(unchecked: bytes.extracting(range))
    // A string that knows it is ASCII is hashed and compared several times faster.
    _ = text.checkForASCII()
    return String(copying: text)
  }

  private func failure(_ expected: SafetensorsError.Syntax) -> SafetensorsError {
    .syntax(file, tensor: tensor, offset: position, expected: expected, found: current)
  }
}
