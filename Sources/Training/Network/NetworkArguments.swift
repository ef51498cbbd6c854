import Checkpoints
import Machine
import ModelFamilies

/// `--network_args`: a list of `key=value`.
///
/// A key ends at the first `=`, so that patterns may hold more of them. Of a key that is given twice the last
/// counts. Old names of LyCORIS are taken for the new ones, and count before these as they do there. Values are read
/// strictly: what is not of the type that is asked for is an error.
package struct NetworkArguments: Sendable, Equatable {
  /// In the order given.
  package private(set) var entries: [(key: String, value: String)] = []
  /// What is said beside errors: old names.
  package private(set) var notices: [String] = []
  /// Keys that were given by an old name.
  private var byOldName: Set<String> = []

  /// Old names of keys.
  private static let renamed = [
    "use_cp": "use_tucker", "use_conv_cp": "use_tucker", "constrain": "constraint",
  ]

  /// What other trainers call a key.
  private static let synonyms = [
    "use_dora": "dora_wd", "dora": "dora_wd", "unit": "block_size", "dim_conv": "conv_dim",
    "use_rslora": "rs_lora", "rank": "network_dim", "alpha": "network_alpha",
  ]

  package init() {}

  /// - Throws: `NetworkError.argumentForm`, `.value`
  package init(parsing texts: [String]) throws(NetworkError) {
    for text in texts {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let key = parts[0].trimmed
      guard parts.count == 2, !key.isEmpty else { throw .argumentForm(text) }
      try add(key, parts[1].trimmed)
    }
  }

  /// - Throws: `NetworkError.value`
  mutating func add(_ key: String, _ value: String) throws(NetworkError) {
    var (key, value) = (key, value)
    var isOldName = true
    if let name = Self.renamed[key] {
      notices.append("network_args: '\(key)' is the old name of '\(name)'")
      key = name
    } else if key == "disable_conv_cp" {
      notices.append("network_args: '\(key)' is the old form of 'use_tucker', the other way round")
      value = try Self.bool(key, value) ? "False" : "True"
      key = "use_tucker"
    } else {
      isOldName = false
    }
    guard isOldName || !byOldName.contains(key) else { return }
    if isOldName { byOldName.insert(key) }
    if let index = entries.firstIndex(where: { $0.key == key }) {
      entries[index].value = value
    } else {
      entries.append((key, value))
    }
  }

  /// The same with an argument that counts where none of that key was given.
  func defaulting(_ key: String, to value: String?) -> NetworkArguments {
    guard let value, self[key] == nil else { return self }
    var arguments = self
    arguments.entries.append((key, value))
    return arguments
  }

  package subscript(_ key: String) -> String? { entries.first { $0.key == key }?.value }

  package var keys: [String] { entries.map(\.key) }

  package static func == (a: Self, b: Self) -> Bool {
    a.entries.elementsEqual(b.entries, by: ==) && a.notices == b.notices
  }

  /// Checks that a module knows all keys. One that is off is left out with a notice: the trainers' modules pass
  /// over what they do not know.
  /// - Throws: `NetworkError.unknownArgument`
  mutating func check(known: Set<String>, of module: String) throws(NetworkError) {
    for (key, value) in entries where !known.contains(key) {
      guard Self.isOff(value) else {
        throw .unknownArgument(
          key, module: module, nearest: Self.synonyms[key] ?? known.sorted().nearest(to: key))
      }
      notices.append("network_args: \(module) knows no '\(key)', which is off and passed over")
    }
    entries.removeAll { !known.contains($0.key) }
  }

  /// Refuses arguments that are on and are not built.
  /// - Parameter reasons: why not, by key.
  /// - Throws: `NetworkError.unsupportedArgument`
  mutating func refuse(_ reasons: [String: String]) throws(NetworkError) {
    for (key, value) in entries {
      guard let reason = reasons[key], !Self.isOff(value) else { continue }
      throw .unsupportedArgument(key, reason: reason)
    }
    entries.removeAll { reasons[$0.key] != nil }
  }

  private static func isOff(_ value: String) -> Bool {
    ["false", "0", "0.0", "none", ""].contains(value.lowercased())
  }

  // MARK: Values

  /// True, true, 1, yes, on, and their opposites.
  /// - Throws: `NetworkError.value`
  func bool(_ key: String) throws(NetworkError) -> Bool? {
    guard let text = self[key] else { return nil }
    return try Self.bool(key, text)
  }

  private static func bool(_ key: String, _ text: String) throws(NetworkError) -> Bool {
    switch text.lowercased() {
    case "true", "1", "yes", "on": return true
    case "false", "0", "no", "off": return false
    default: throw .value(key, expected: "True or False", found: text)
    }
  }

  /// A bool, or None.
  /// - Throws: `NetworkError.value`
  func optionalBool(_ key: String) throws(NetworkError) -> Bool?? {
    guard let text = self[key] else { return nil }
    return text.lowercased() == "none" ? .some(nil) : try Self.bool(key, text)
  }

  /// - Throws: `NetworkError.value`
  func integer(_ key: String, atLeast minimum: Int) throws(NetworkError) -> Int? {
    guard let text = self[key] else { return nil }
    guard let value = Int(text), GivenInteger.range(from: minimum).contains(value) else {
      throw .value(
        key, expected: "an integer from \(minimum) to \(GivenInteger.range.upperBound)", found: text
      )
    }
    return value
  }

  /// - Throws: `NetworkError.value`
  func number(
    _ key: String, _ range: ClosedRange<Float>, _ expected: String
  ) throws(NetworkError) -> Float? {
    guard let text = self[key] else { return nil }
    guard let value = Float(text), range.contains(value) else {
      throw .value(key, expected: expected, found: text)
    }
    return value
  }

  /// 0 up to below 1.
  /// - Throws: `NetworkError.value`
  func rate(_ key: String) throws(NetworkError) -> Float? {
    try number(key, 0...Float(1).nextDown, "a rate of 0 up to below 1")
  }

  /// Numbers with commas between; an empty place is 0.
  /// - Throws: `NetworkError.value`
  func numbers(_ key: String) throws(NetworkError) -> [Float]? {
    guard let text = self[key] else { return nil }
    var numbers: [Float] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let number = part.trimmed.isEmpty ? 0 : Float(part.trimmed), number.isFinite else {
        throw .value(key, expected: "numbers with commas between", found: text)
      }
      numbers.append(number)
    }
    return numbers
  }
}

extension StringProtocol {
  fileprivate var trimmed: String {
    String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
