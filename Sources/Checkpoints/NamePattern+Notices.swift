import ModelFamilies
package import Patterns

extension NamePattern {
  /// What a user should know of patterns that probably do not say what is meant: those that match nothing,
  /// and those whose other reading would match something else.
  ///
  /// - Parameters:
  ///   - origin: where the patterns are from: `'--exclude_patterns'`.
  ///   - things: what the names are of, in the plural.
  /// - Complexity: O(patterns · names)
  package static func notices(
    on patterns: [NamePattern], from origin: String, names: [String], of things: String = "modules"
  ) -> [String] {
    guard !names.isEmpty else { return [] }
    return patterns.compactMap { pattern in
      let count = names.count { pattern.matches($0) }
      if let other = pattern.otherReading {
        let otherCount = names.count { other.matches($0) }
        if count != otherCount {
          return
            "\(origin): '\(pattern.text)' is read as a regular expression, which matches \(count) of "
            + "\(names.count) \(things); as a shell pattern it would match \(otherCount): 're:' or "
            + "'glob:' before it says which"
        }
      }
      guard count == 0 else { return nil }
      return "\(origin): '\(pattern.text)' matches none of \(names.count) \(things)"
        + pattern.hint(among: names)
    }
  }

  /// What could be meant, from names that are there.
  private func hint(among names: [String]) -> String {
    let any = language == .shell ? "*" : ".*"
    let around = (body.hasPrefix(any) ? "" : any) + body + (body.hasSuffix(any) ? "" : any)
    if let wider = try? NamePattern(around, as: language) {
      let count = names.count { wider.matches($0) }
      if count > 0 {
        return "; the whole name has to match: '\(around)' matches \(count)"
      }
    }
    let words = body.words.filter { word in !names.contains { $0.contains(word) } }
    let known = Set(names.flatMap { $0.split(separator: ".").map(String.init) }).sorted()
    for word in words.sorted(by: { $0.count > $1.count }) {
      guard let near = known.nearest(to: word) else { continue }
      let examples = names.filter { $0.contains(near) }.prefix(3)
      return "; did you mean '\(near)', as in \(examples.quoted)? The whole name has to match"
    }
    return "; names are such as \(names.prefix(3).quoted), and the whole name has to match"
  }
}

extension String {
  /// The parts that are letters, digits and underscores, without what a backslash stands before; those
  /// of one or two characters tell nothing.
  fileprivate var words: [String] {
    var words = [""]
    var isEscaped = false
    for character in self {
      if !isEscaped, character.isLetter || character.isNumber || character == "_" {
        words[words.count - 1].append(character)
      } else {
        words.append("")
      }
      isEscaped = !isEscaped && character == "\\"
    }
    return words.filter { $0.count > 2 }
  }
}

extension Collection<String> {
  fileprivate var quoted: String { map { "'\($0)'" }.joined(separator: ", ") }
}
