import Patterns
import Safetensors

/// A number for all modules but those whose paths end in a pattern: `lora_alpha` with `alpha_pattern`, `r`
/// with `rank_pattern`.
///
/// The first pattern in the file's order that a path ends in decides. Source: PEFT `utils/other.py`,
/// `get_pattern_key`.
struct PEFTSetting {
  /// Instructions of all patterns of one table that are more than names. They bound how long a module
  /// can take; what PEFT itself writes is names.
  private static let sizeLimit = 20_000

  private struct Entry {
    let number: Double
    /// Its place in the file.
    let place: Int
  }

  var common: Double?
  /// Patterns that are plain names: those of modules, or ends of them.
  private var names: [String: Entry] = [:]
  /// Those of them that have a point, which stands for any character, by their length without `^`.
  private var dotted: [Int: [(name: [UInt8], pattern: String)]] = [:]
  private var dottedCount = 0
  private var patterns: [(pattern: RegularExpression, entry: Entry)] = []

  /// - Throws: `CheckpointError.configuration`, `.configurationValue`
  mutating func set(
    _ table: JSONValue, _ reader: inout PEFTValueReader
  ) throws(CheckpointError) {
    guard case .object(let members) = table else { throw reader.invalid("an object", table) }
    var size = 0
    for (place, (pattern, value)) in members.enumerated() {
      let entry = Entry(number: try reader.number(value, of: pattern), place: place)
      let name = pattern.hasPrefix("^") ? String(pattern.dropFirst()) : pattern
      if !name.contains(where: { "\\^$*+?()[]{}|".contains($0) }) {
        // Of a key that stands twice, Python keeps the first place and the last value.
        names[pattern] = Entry(number: entry.number, place: names[pattern]?.place ?? place)
        if name.contains("."), dottedCount < Self.sizeLimit {
          let bytes = Array(name.utf8)
          dotted[bytes.count, default: []].append((bytes, pattern))
          dottedCount += 1
        }
        continue
      }
      do throws(PatternError) {
        let expression = try RegularExpression("(.*\\.)?(\(pattern))$")
        size += expression.size
        guard size <= Self.sizeLimit else {
          throw PatternError(pattern, "it and those before it are too large together")
        }
        patterns.append((expression, entry))
      } catch {
        // In the words of the file, not in those that it is matched with.
        let fault = PatternError(pattern, error.reason)
        throw .configuration(detail: "\(reader.file): '\(reader.key)': \(fault)")
      }
    }
  }

  func callAsFunction(_ path: String) -> Double? {
    var found = names["^" + path]
    func consider(_ entry: Entry?) {
      if let entry, entry.place < found?.place ?? .max { found = entry }
    }
    var rest = path[...]
    while true {
      consider(names[String(rest)])
      let bytes = rest.utf8
      for (name, pattern) in dotted[bytes.count] ?? []
      where rest.startIndex == path.startIndex || !pattern.hasPrefix("^") {
        let point = UInt8(ascii: ".")
        if zip(name, bytes).allSatisfy({ $0 == $1 || $0 == point }) { consider(names[pattern]) }
      }
      guard let dot = rest.firstIndex(of: ".") else { break }
      rest = rest[rest.index(after: dot)...]
    }
    consider(patterns.first { $0.pattern.matches(path, .start) }?.entry)
    return found?.number ?? common
  }
}
