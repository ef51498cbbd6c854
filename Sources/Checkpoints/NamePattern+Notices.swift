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
    notices(on: patterns, from: origin, names: names.map { [$0] }, of: things)
  }

  /// - Parameter names: of each thing all that it is called, of which any may match.
  package static func notices(
    on patterns: [NamePattern], from origin: String, names: [[String]],
    of things: String = "modules"
  ) -> [String] {
    guard !names.isEmpty else { return [] }
    return patterns.compactMap { pattern in
      let count = names.count { $0.contains(where: pattern.matches) }
      if let other = pattern.otherReading {
        let otherCount = names.count { $0.contains(where: other.matches) }
        if count != otherCount {
          return
            "\(origin): '\(pattern.text)' is read as a regular expression, which matches \(count) of "
            + "\(names.count) \(things); as a shell pattern it would match \(otherCount): 're:' or "
            + "'glob:' before it says which"
        }
      }
      guard count == 0 else { return nil }
      return "\(origin): '\(pattern.text)' matches none of \(names.count) \(things)"
        + pattern.hint(among: names.joined().map { $0 })
    }
  }

  /// What could be meant, from names that are there.
  private func hint(among names: [String]) -> String {
    let any = language == .shell ? "*" : ".*"
    let around = (body.hasPrefix(any) ? "" : any) + body + (body.hasSuffix(any) ? "" : any)
    if let wider = try? NamePattern(around, as: language),
      let found = names.first(where: wider.matches)
    {
      return "; \(rule): '\(around)' matches '\(found)'"
    }
    let words = body.words.filter { word in !names.contains { $0.contains(word) } }
    let known = Set(names.flatMap { $0.split(separator: ".").map(String.init) }).sorted()
    for word in words.sorted(by: { $0.count > $1.count }) {
      guard let near = known.nearest(to: word) else { continue }
      let examples = names.filter { $0.contains(near) }.prefix(3)
      return "; did you mean '\(near)', as in \(examples.quoted)?"
    }
    return "; names are such as \(names.prefix(3).quoted), and \(rule)"
  }

  /// What a pattern has to match.
  private var rule: String {
    switch extent {
    case .whole: "the whole name has to match"
    case .start: "it has to match from the start of the name"
    case .anywhere: "it has to match somewhere"
    }
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
