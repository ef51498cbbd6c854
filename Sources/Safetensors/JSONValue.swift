package import SystemPackage

/// A JSON text that stands in a metadata entry.
package indirect enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// As written.
  case number(String)
  case string(String)
  case array([JSONValue])
  /// In the order of the text.
  case object([(key: String, value: JSONValue)])

  /// nil if the text is not JSON.
  package init?(parsing text: String) {
    let bytes = Array(text.utf8)
    do {
      var reader = try JSONReader(bytes.span, of: "")
      self = try reader.readValue()
      try reader.finish()
    } catch {
      return nil
    }
  }

  /// The value that a file holds; nil if there is no such file.
  /// - Throws: `SafetensorsError.io`, `.notAFile`, `.textTooLong`, `.json`
  package init?(reading path: FilePath, atMost limit: Int) throws(SafetensorsError) {
    let file: MappedFile
    do {
      file = try MappedFile(path)
    } catch .io(_, _, .noSuchFileOrDirectory) {
      return nil
    }
    guard file.count <= limit else { throw .textTooLong(path, limit: limit, found: file.count) }
    do {
      var reader = try JSONReader(file.bytes, of: path)
      self = try reader.readValue()
      try reader.finish()
    } catch .syntax(_, _, let offset, let expected, let found) {
      throw .json(path, offset: offset, expected: expected, found: found)
    }
  }

  /// The member of that name; nil if there is none or this is no object.
  package subscript(_ key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  package static func == (a: JSONValue, b: JSONValue) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.number(let a), .number(let b)), (.string(let a), .string(let b)): a == b
    case (.array(let a), .array(let b)): a == b
    case (.object(let a), .object(let b)):
      a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    default: false
    }
  }
}

extension JSONValue {
  package var integer: Int? {
    switch self {
    case .number(let text), .string(let text):
      Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
    default: nil
    }
  }

  package var elements: [JSONValue] {
    guard case .array(let elements) = self else { return [] }
    return elements
  }

  package var members: [(key: String, value: JSONValue)] {
    guard case .object(let members) = self else { return [] }
    return members
  }

  /// For people: strings bare, members as `name=value`, nothing for null.
  package var text: String {
    switch self {
    case .null: ""
    case .bool(let value): value ? "true" : "false"
    case .number(let text), .string(let text): text
    case .array(let elements): elements.map(\.text).joined(separator: ", ")
    case .object(let members):
      members.map { "\($0.key)=\($0.value.nestedText)" }.joined(separator: ", ")
    }
  }

  private var nestedText: String {
    switch self {
    case .array: "[\(text)]"
    case .object: "{\(text)}"
    default: text
    }
  }
}

extension JSONReader {
  /// Any value, whole.
  mutating func readValue() throws(SafetensorsError) -> JSONValue {
    var isFirst = true
    switch peek() {
    case UInt8(ascii: "{"):
      try openObject()
      var members: [(key: String, value: JSONValue)] = []
      while let key = try nextKey(&isFirst) { members.append((key, try readValue())) }
      return .object(members)
    case UInt8(ascii: "["):
      try openArray()
      var elements: [JSONValue] = []
      while try nextElement(&isFirst) { elements.append(try readValue()) }
      return .array(elements)
    case UInt8(ascii: "\""): return .string(try readString())
    case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")):
      return .number(try readNumber())
    case UInt8(ascii: "n"):
      try readNull()
      return .null
    case let first:
      try skipValue()
      return .bool(first == UInt8(ascii: "t"))
    }
  }
}
