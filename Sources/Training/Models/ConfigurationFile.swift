import Safetensors
package import SystemPackage

/// A `config.json` of a model's folder.
package struct ConfigurationFile {
  package let path: FilePath
  private let value: JSONValue

  /// nil if there is no such file.
  /// - Throws: `ModelLoadingError.configuration` if it cannot be read or is not JSON.
  package init?(_ path: FilePath) throws {
    let text: String
    do {
      let file = try FileDescriptor.open(path, .readOnly)
      text = try file.closeAfter {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        while true {
          let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
          guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
          bytes += buffer[..<count]
        }
      }
    } catch Errno.noSuchFileOrDirectory, Errno.notDirectory {
      return nil
    } catch {
      throw ModelLoadingError.configuration(path, key: nil, expected: "a readable file")
    }
    guard let value = JSONValue(parsing: text), case .object = value else {
      throw ModelLoadingError.configuration(path, key: nil, expected: "a JSON object")
    }
    self.path = path
    self.value = value
  }

  /// nil if the member is absent or null.
  func string(_ key: String) throws -> String? {
    switch value[key] {
    case nil, .null: nil
    case .string(let text): text
    default: throw failure(key, "a string")
    }
  }

  /// nil if the member is absent or null.
  func number(_ key: String) throws -> Double? {
    switch value[key] {
    case nil, .null: return nil
    case .number(let text):
      guard let number = Double(text) else { throw failure(key, "a number") }
      return number
    default: throw failure(key, "a number")
    }
  }

  /// One positive whole number, or a list of such; nil if the member is absent or null.
  func integers(_ key: String) throws -> [Int]? {
    let values: [JSONValue]
    switch value[key] {
    case nil, .null: return nil
    case .array(let members): values = members
    case let member?: values = [member]
    }
    let numbers = values.compactMap { value -> Int? in
      guard case .number(let text) = value, let number = Int(text), number > 0 else { return nil }
      return number
    }
    guard numbers.count == values.count, !numbers.isEmpty else {
      throw failure(key, "a positive whole number, or a list of them")
    }
    return numbers
  }

  /// Checks a member, if it is there.
  func expect(_ key: String, _ known: [String]) throws {
    guard let text = try string(key), !known.contains(text) else { return }
    throw failure(key, known.joined(separator: " or ") + ", found '\(text)'")
  }

  private func failure(_ key: String, _ expected: String) -> ModelLoadingError {
    .configuration(path, key: key, expected: expected)
  }
}
