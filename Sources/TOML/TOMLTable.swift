/// A table of a TOML document; its keys keep the order in which they were written.
package struct TOMLTable: Equatable, Sendable {
  package private(set) var keys: [String] = []
  private var values: [TOMLKey: TOMLValue] = [:]

  package init() {}

  package subscript(_ key: String) -> TOMLValue? { values[TOMLKey(key)] }

  /// Adds a value after all others.
  /// - Precondition: there is none of that key.
  mutating func append(_ key: String, _ value: TOMLValue) {
    let known = values.updateValue(value, forKey: TOMLKey(key))
    precondition(known == nil, "key '\(key)' is there already")
    keys.append(key)
  }
}

/// A key as its scalars: `String` holds a letter and the same letter composed of two for equal, TOML does not.
struct TOMLKey: Hashable, Sendable {
  let text: String

  init(_ text: String) { self.text = text }

  static func == (a: TOMLKey, b: TOMLKey) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }

  func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { unsafe hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }

  /// As it stands in a document: bare if it can be, else in quotes, with nothing in it that a terminal obeys.
  var description: String {
    let isBare = !text.isEmpty && text.utf8.allSatisfy(\.isBareKey)
    return isBare ? text : "\"\(text.unicodeScalars.prefix(60).map(\.escaped).joined())\""
  }
}

extension UInt8 {
  /// A letter, a digit, `_` or `-`.
  var isBareKey: Bool {
    switch self {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

extension Unicode.Scalar {
  /// Itself where it can be shown, else as TOML escapes it.
  var escaped: String {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
      let digits = String(value, radix: 16, uppercase: true)
      let width = value > 0xFFFF ? 8 : 4
      return (width == 8 ? "\\U" : "\\u") + String(repeating: "0", count: width - digits.count)
        + digits
    default: return self == "\"" || self == "\\" ? "\\\(self)" : String(self)
    }
  }
}
