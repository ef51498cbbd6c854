/// A value of a packed table: a part of its text.
package struct PackedValue: Sendable {
  /// The letter that a value begins with.
  struct Kind: Equatable {
    let letter: UInt8

    static let string = Kind(letter: UInt8(ascii: "s"))
    static let integer = Kind(letter: UInt8(ascii: "i"))
    static let float = Kind(letter: UInt8(ascii: "f"))
    static let bool = Kind(letter: UInt8(ascii: "b"))
    static let date = Kind(letter: UInt8(ascii: "d"))
    static let array = Kind(letter: UInt8(ascii: "a"))
    static let table = Kind(letter: UInt8(ascii: "t"))
  }

  private let document: String
  private let kind: Kind
  /// Where in the document's bytes the value stands, without its letter and length.
  let payload: Range<Int>

  /// The value that a text is.
  init(_ document: String) {
    (kind, payload) = Self.first(of: 0..<document.utf8.count, in: document)
    self.document = document
  }

  private init(_ document: String, _ kind: Kind, _ payload: Range<Int>) {
    self.document = document
    self.kind = kind
    self.payload = payload
  }

  /// The value that a range begins with, which is taken off it; nil at its end.
  func next(_ rest: inout Range<Int>) -> PackedValue? {
    guard !rest.isEmpty else { return nil }
    let (kind, payload) = Self.first(of: rest, in: document)
    rest = payload.upperBound..<rest.upperBound
    return PackedValue(document, kind, payload)
  }

  private static func first(of range: Range<Int>, in document: String) -> (Kind, Range<Int>) {
    let bytes = document.utf8Span.span
    var count = 0
    var index = range.lowerBound + 1
    while bytes[index] != UInt8(ascii: ":") {
      count = count * 10 + Int(bytes[index] - UInt8(ascii: "0"))
      index += 1
    }
    return (Kind(letter: bytes[range.lowerBound]), index + 1..<index + 1 + count)
  }

  package var string: String? { kind == .string ? text : nil }
  package var integer: Int? { kind == .integer ? Int(text) : nil }
  package var bool: Bool? { kind == .bool ? isText("1") : nil }
  package var table: PackedTable? { kind == .table ? PackedTable(of: self) : nil }
  package var array: [PackedValue]? { elements { $0 } }

  /// A number, written with or without a fraction.
  package var number: Double? {
    kind == .float ? Double(text) : integer.map(Double.init)
  }

  /// The texts of an array of nothing else.
  package var strings: [String]? { elements(\.string) }

  /// What is read of the values of an array; nil if there is one of which it cannot be.
  private func elements<T>(_ read: (PackedValue) -> T?) -> [T]? {
    guard kind == .array else { return nil }
    var elements: [T] = []
    var rest = payload
    while let next = next(&rest) {
      guard let element = read(next) else { return nil }
      elements.append(element)
    }
    return elements
  }

  /// The same value, read whole.
  var whole: TOMLValue {
    switch kind {
    case .integer: .integer(integer!)
    case .float: .float(number!)
    case .bool: .bool(isText("1"))
    case .date: .date(text)
    case .array: .array(elements(\.whole)!)
    case .table: .table(PackedTable(of: self).table)
    default: .string(text)
    }
  }

  /// The payload as it stands.
  var text: String {
    let bytes = document.utf8
    let start = bytes.index(bytes.startIndex, offsetBy: payload.lowerBound)
    return String(document[start..<bytes.index(start, offsetBy: payload.count)])
  }

  func isText(_ other: String) -> Bool {
    let bytes = document.utf8Span.span
    let others = other.utf8Span.span
    guard others.count == payload.count else { return false }
    for index in others.indices where bytes[payload.lowerBound + index] != others[index] {
      return false
    }
    return true
  }
}

extension PackedValue {
  static func pack(_ value: TOMLValue) -> String {
    switch value {
    case .string(let text): pack(.string, [text])
    case .integer(let number): pack(.integer, [String(number)])
    case .float(let number): pack(.float, ["\(number)"])
    case .bool(let flag): pack(.bool, [flag ? "1" : "0"])
    case .date(let text): pack(.date, [text])
    case .array(let values): pack(.array, values.map(pack))
    case .table(let table): table.packed
    }
  }

  static func pack(_ kind: Kind, _ parts: [String]) -> String {
    let payload = parts.joined()
    return "\(Unicode.Scalar(kind.letter))\(payload.utf8.count):\(payload)"
  }
}
