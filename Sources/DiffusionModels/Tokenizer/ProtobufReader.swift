/// The fields of a message in the wire format of protocol buffers.
struct ProtobufReader {
  enum Value {
    case number(UInt64)
    case word(UInt32)
    case long(UInt64)
    case bytes(ArraySlice<UInt8>)
  }

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// In their order.
  /// - Throws: `TokenizerError.damaged`
  consuming func fields() throws(TokenizerError) -> [(number: Int, value: Value)] {
    var fields: [(number: Int, value: Value)] = []
    while !rest.isEmpty {
      let tag = try varint()
      let number = Int(truncatingIfNeeded: tag >> 3)
      switch tag & 7 {
      case 0: fields.append((number, .number(try varint())))
      case 1: fields.append((number, .long(try fixed(8))))
      case 2:
        let count = try varint()
        guard count <= UInt64(rest.count) else { throw Self.end }
        fields.append((number, .bytes(rest.prefix(Int(count)))))
        rest = rest.dropFirst(Int(count))
      case 5: fields.append((number, .word(UInt32(truncatingIfNeeded: try fixed(4)))))
      default: throw .damaged(expected: "a file of sentencepiece, a message of protocol buffers")
      }
    }
    return fields
  }

  private static let end = TokenizerError.damaged(
    expected: "a file of sentencepiece, found one that ends within a field")

  private mutating func varint() throws(TokenizerError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = rest.popFirst() else { throw Self.end }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw .damaged(expected: "a file of sentencepiece, found a number that does not end")
  }

  private mutating func fixed(_ count: Int) throws(TokenizerError) -> UInt64 {
    guard rest.count >= count else { throw Self.end }
    let value = rest.prefix(count).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    rest = rest.dropFirst(count)
    return value
  }
}
