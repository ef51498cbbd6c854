extension JSONValue {
  /// The value as JSON again, with the spaces that Python's `json.dumps` writes.
  package var encoded: String { text(asciiOnly: false) }

  /// As Python's `json.dumps` writes it: ASCII alone.
  package var pythonText: String { text(asciiOnly: true) }

  private func text(asciiOnly: Bool) -> String {
    var bytes: [UInt8] = []
    append(to: &bytes, asciiOnly)
    return String(decoding: bytes, as: UTF8.self)
  }

  private func append(to bytes: inout [UInt8], _ asciiOnly: Bool) {
    switch self {
    case .null: bytes += "null".utf8
    case .bool(let value): bytes += (value ? "true" : "false").utf8
    case .number(let text): bytes += text.utf8
    case .string(let text): bytes.appendJSON(text, asciiOnly: asciiOnly)
    case .array(let elements):
      bytes += "[".utf8
      for (index, element) in elements.enumerated() {
        if index > 0 { bytes += ", ".utf8 }
        element.append(to: &bytes, asciiOnly)
      }
      bytes += "]".utf8
    case .object(let members):
      bytes += "{".utf8
      for (index, member) in members.enumerated() {
        if index > 0 { bytes += ", ".utf8 }
        bytes.appendJSON(member.key, asciiOnly: asciiOnly)
        bytes += ": ".utf8
        member.value.append(to: &bytes, asciiOnly)
      }
      bytes += "}".utf8
    }
  }

  /// The object with a member replaced, or without it for nil; any other value as it is.
  package func setting(_ key: String, to value: JSONValue?) -> JSONValue {
    guard case .object(let members) = self else { return self }
    return .object(
      members.compactMap { member in
        guard member.key == key else { return member }
        return value.map { (key: key, value: $0) }
      })
  }
}
