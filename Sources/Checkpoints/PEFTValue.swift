import FoundationEssentials

/// A value of a JSON configuration.
package enum PEFTValue: Encodable, Sendable {
  case null
  case flag(Bool)
  case integer(Int)
  case number(Float)
  case text(String)
  case list([String])
  case object([String: PEFTValue])

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .flag(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value):
      // As PEFT's own files have them: 16, not 16.0.
      if let whole = Int(exactly: value) {
        try container.encode(whole)
      } else {
        try container.encode(value)
      }
    case .text(let value): try container.encode(value)
    case .list(let values): try container.encode(values)
    case .object(let values): try container.encode(values)
    }
  }

  /// Indented, keys in order, as PEFT writes it.
  package var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard let data = try? encoder.encode(self) else { preconditionFailure("\(self)") }
    return String(decoding: data, as: UTF8.self)
  }
}
