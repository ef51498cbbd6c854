extension Span<UInt8> {
  /// An unsigned number of `width` bytes, 8 at most.
  /// - Returns: nil where fewer bytes are there.
  func littleEndian(_ width: Int, at offset: Int) -> UInt64? {
    guard offset >= 0, width <= count, offset <= count - width else { return nil }
    var number: UInt64 = 0
    for i in 0..<width { number |= UInt64(self[offset + i]) << (8 * UInt64(i)) }
    return number
  }

  /// As an `Int`; nil also where it does not fit.
  func integer(_ width: Int, at offset: Int) -> Int? {
    littleEndian(width, at: offset).flatMap { Int(exactly: $0) }
  }

  /// Whether these bytes stand at an offset.
  func holds(_ expected: some Sequence<UInt8>, at offset: Int) -> Bool {
    var i = offset
    for byte in expected {
      guard i >= 0, i < count, self[i] == byte else { return false }
      i += 1
    }
    return true
  }

  /// A text; what is not UTF-8 in it is replaced.
  func text(_ range: Range<Int>) -> String {
    String(decoding: range.map { self[$0] }, as: UTF8.self)
  }
}
