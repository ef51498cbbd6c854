package import Safetensors
package import TOML

/// A value of a configuration file, whichever of TOML and JSON it was written in.
package indirect enum ConfigurationValue: Equatable, Sendable {
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([ConfigurationValue])
  case table([String: ConfigurationValue])
  /// JSON's null, as if the key were not there.
  case null
  /// A date or a time of day, which no key takes.
  case other

  package init(_ value: TOMLValue) {
    switch value {
    case .bool(let bool): self = .bool(bool)
    case .integer(let integer): self = .integer(integer)
    case .float(let number): self = .number(number)
    case .string(let string): self = .string(string)
    case .date: self = .other
    case .array(let elements): self = .array(elements.map { ConfigurationValue($0) })
    case .table(let table): self.init(table)
    }
  }

  package init(_ table: TOMLTable) {
    self = .table(
      Dictionary(
        table.keys.compactMap { key in table[key].map { (key, ConfigurationValue($0)) } },
        uniquingKeysWith: { $1 }))
  }

  package init(_ value: JSONValue) {
    switch value {
    case .null: self = .null
    case .bool(let bool): self = .bool(bool)
    case .number(let text):
      if let integer = Int(text) {
        self = .integer(integer)
      } else {
        self = Double(text).map(ConfigurationValue.number) ?? .other
      }
    case .string(let string): self = .string(string)
    case .array(let elements): self = .array(elements.map { ConfigurationValue($0) })
    case .object(let members):
      self = .table(
        Dictionary(
          members.map { ($0.key, ConfigurationValue($0.value)) }, uniquingKeysWith: { $1 }))
    }
  }

  /// As it is named in an error.
  package var description: String {
    switch self {
    case .bool(let bool): "\(bool)"
    case .integer(let integer): "\(integer)"
    case .number(let number): "\(number)"
    case .string(let string): "'\(string)'"
    case .array(let elements): "[\(elements.map(\.description).joined(separator: ", "))]"
    case .table: "a table"
    case .null: "null"
    case .other: "a date"
    }
  }
}

extension ConfigurationValue {
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  package var string: String? { if case .string(let value) = self { value } else { nil } }
  package var array: [ConfigurationValue]? {
    if case .array(let value) = self { value } else { nil }
  }
  package var table: [String: ConfigurationValue]? {
    if case .table(let value) = self { value } else { nil }
  }

  /// A number, written with or without a fraction.
  package var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
}
