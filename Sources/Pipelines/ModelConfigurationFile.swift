import Machine
import Safetensors
package import SystemPackage

/// A `config.json` of a model's folder.
package struct ModelConfigurationFile {
  package let path: FilePath
  private let value: JSONValue

  /// nil if there is no such file.
  /// - Throws: `ModelLoadingError.configuration` if it cannot be read or is not JSON.
  package init?(_ path: FilePath) throws {
    let text: String
    do throws(InputError) {
      text = String(decoding: try InputFile.bytes(of: path), as: UTF8.self)
    } catch .system(.noSuchFileOrDirectory), .system(.notDirectory) {
      return nil
    } catch {
      throw ModelLoadingError.unreadable(path, error)
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

  /// nil if the member is absent or null.
  func number(_ key: String, in range: ClosedRange<Double>) throws -> Double? {
    guard let number = try number(key) else { return nil }
    guard range ~= number else {
      throw failure(key, "\(range.lowerBound) to \(range.upperBound), found \(number)")
    }
    return number
  }

  /// nil if the member is absent or null.
  func flag(_ key: String) throws -> Bool? {
    switch value[key] {
    case nil, .null: nil
    case .bool(let flag): flag
    default: throw failure(key, "true or false")
    }
  }

  /// One positive whole number, or a list of such, bounded so that products of them fit; nil if the member is absent or null.
  func integers(_ key: String, atMost limit: Int = 1 << 20) throws -> [Int]? {
    let values: [JSONValue]
    switch value[key] {
    case nil, .null: return nil
    case .array(let members): values = members
    case let member?: values = [member]
    }
    let numbers = values.compactMap { value -> Int? in
      guard case .number(let text) = value, let number = Int(text),
        (1...limit).contains(number)
      else { return nil }
      return number
    }
    guard numbers.count == values.count, !numbers.isEmpty else {
      throw failure(key, "a positive whole number of at most \(limit), or a list of them")
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
