import Safetensors
import TOML

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

  init(_ value: TOMLValue) {
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

  init(_ table: TOMLTable) {
    self = .table(
      Dictionary(
        table.keys.compactMap { key in table[key].map { (key, ConfigurationValue($0)) } },
        uniquingKeysWith: { $1 }))
  }

  init(_ value: JSONValue) {
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
  var description: String {
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
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var integer: Int? { if case .integer(let value) = self { value } else { nil } }
  var string: String? { if case .string(let value) = self { value } else { nil } }
  var array: [ConfigurationValue]? { if case .array(let value) = self { value } else { nil } }
  var table: [String: ConfigurationValue]? {
    if case .table(let value) = self { value } else { nil }
  }

  /// A number, written with or without a fraction.
  var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// One number for both sides, or `[width, height]`.
  var resolution: Resolution? {
    if let side = integer { return Resolution(side, side) }
    guard let array, array.count == 2, let width = array[0].integer, let height = array[1].integer
    else { return nil }
    return Resolution(width, height)
  }
}
