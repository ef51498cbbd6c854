/// A list of strings as Python source writes it: `[r'a.*', "b"]`.
package enum PythonList {
  /// The strings of a list literal; nil if the text does not begin with a quote behind its bracket,
  /// and so may be a regular expression that starts with a character class.
  /// - Throws: `PatternError` if it begins as a list and does not end as one.
  package static func elements(of text: String) throws(PatternError) -> [String]? {
    var rest = Substring(text).drop(while: \.isWhitespace)
    guard rest.popFirst() == "[" else { return nil }
    rest = rest.drop(while: \.isWhitespace)
    guard
      rest.hasPrefix("'") || rest.hasPrefix("\"") || rest.hasPrefix("r'")
        || rest.hasPrefix("r\"")
    else { return nil }
    var elements: [String] = []
    while true {
      rest = rest.drop(while: \.isWhitespace)
      if rest.first == "]", rest.dropFirst().allSatisfy(\.isWhitespace) { return elements }
      let raw = rest.first == "r"
      if raw { rest.removeFirst() }
      guard let quote = rest.popFirst(), quote == "'" || quote == "\"" else { break }
      var element = ""
      while let character = rest.popFirst(), character != quote {
        element.append(character)
        guard character == "\\", let next = rest.popFirst() else { continue }
        // Outside a raw string a doubled backslash is one; other escapes mean themselves in a
        // regular expression.
        if raw || next != "\\" { element.append(next) }
      }
      elements.append(element)
      rest = rest.drop(while: \.isWhitespace)
      if rest.first == "," { rest.removeFirst() } else if rest.first != "]" { break }
    }
    throw PatternError(
      text, "expected a list of quoted strings, such as [r'.*single_blocks.*']")
  }
}
