import Patterns

/// Numbers by patterns of names, `pattern=number` with commas between: `network_reg_dims`. A pattern is searched for in
/// the name that a module has in an adapter file, and the first that is found counts.
struct NamedNumbers<Number: Sendable & LosslessStringConvertible>: Sendable {
  let entries: [(pattern: NamePattern, number: Number)]

  /// nil where the arguments say nothing.
  /// - Throws: `NetworkError.value`
  init?(
    _ arguments: NetworkArguments, _ key: String, _ expected: String,
    where isAllowed: (Number) -> Bool
  ) throws(NetworkError) {
    guard let text = arguments[key] else { return nil }
    var entries: [(pattern: NamePattern, number: Number)] = []
    for part in text.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1).map { word in
        String(word.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
      }
      if pair.allSatisfy(\.isEmpty) { continue }
      guard pair.count == 2, let number = Number(pair[1]), isAllowed(number) else {
        throw .value(key, expected: "pattern=\(expected) with commas between", found: text)
      }
      do throws(PatternError) {
        entries.append((try NamePattern(pair[0], as: .expression, extent: .anywhere), number))
      } catch {
        throw .value(key, expected: "a regular expression", found: "\(pair[0]): \(error.reason)")
      }
    }
    self.entries = entries
  }

  /// The place of the first pattern that is found; nil for none.
  func place(of name: String) -> Int? { entries.firstIndex { $0.pattern.matches(name) } }

  func number(of name: String) -> Number? { place(of: name).map { entries[$0].number } }
}
