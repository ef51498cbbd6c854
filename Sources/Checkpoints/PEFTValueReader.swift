import Safetensors
import SystemPackage

/// Reads values of a PEFT configuration; an error names file and key. Numbers that stand as text are read
/// with a notice, since hand-made files have them.
struct PEFTValueReader {
  let file: FilePath
  let key: String
  private(set) var notices: [String] = []

  init(file: FilePath, key: String) {
    self.file = file
    self.key = key
  }

  /// - Parameter member: of the table under the key.
  /// - Throws: `CheckpointError.configurationValue`
  mutating func number(
    _ value: JSONValue, of member: String? = nil
  ) throws(CheckpointError) -> Double {
    switch value {
    case .number(let text):
      if let number = Double(text), number.isFinite { return number }
    case .string(let text):
      if let number = Double(text), number.isFinite {
        notices.append("\(file): \(name(member)): the text \"\(text)\" is read as a number")
        return number
      }
    default: break
    }
    throw invalid("a number", value, of: member)
  }

  /// - Throws: `CheckpointError.configurationValue`
  func flag(_ value: JSONValue) throws(CheckpointError) -> Bool {
    guard case .bool(let flag) = value else { throw invalid("true or false", value) }
    return flag
  }

  func invalid(
    _ expected: String, _ value: JSONValue, of member: String? = nil
  ) -> CheckpointError {
    let found =
      switch value {
      case .string(let text): "\"\(text.prefix(40))\""
      case .array: "a list"
      case .object: "an object"
      default: String(value.text.prefix(40))
      }
    return .configurationValue(file, key: name(member), expected: expected, found: found)
  }

  private func name(_ member: String?) -> String {
    "'\(key)'" + (member.map { ", '\($0)'" } ?? "")
  }
}
