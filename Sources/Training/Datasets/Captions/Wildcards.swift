/// `{a|b|c}` in a caption stands for one of them, a line of several for itself, and `{{` for a brace.
enum Wildcards {
  /// Draws the line first, then the choices from left to right.
  static func resolved(_ caption: String, using generator: inout CounterGenerator) -> String {
    var text = caption
    let lines = caption.components(separatedBy: "\n")
    if lines.count > 1 { text = lines[generator.integer(below: lines.count)] }

    let characters = Array(text.unicodeScalars)
    let closings = closings(characters)
    var result = String.UnicodeScalarView()
    var i = 0
    while i < characters.count {
      let character = characters[i]
      if character == "{" || character == "}", i + 1 < characters.count,
        characters[i + 1] == character
      {
        result.append(character)
        i += 2
      } else if character == "{", let end = closings[i + 1], end > i + 1 {
        let choices = unescaped(characters[(i + 1)..<end]).components(separatedBy: "|")
        result += choices[generator.integer(below: choices.count)].unicodeScalars
        i = end + 1
      } else {
        result.append(character)
        i += 1
      }
    }
    return String(result)
  }

  /// For every place the first brace from there on that closes: of a run of braces the last one, where
  /// their number is odd. Found for all at once: for each on its own, a caption of nothing but opening
  /// braces would take the square of its length.
  private static func closings(_ characters: [Unicode.Scalar]) -> [Int?] {
    var closings = [Int?](repeating: nil, count: characters.count + 1)
    var i = characters.count - 1
    while i >= 0 {
      guard characters[i] == "}" else {
        closings[i] = closings[i + 1]
        i -= 1
        continue
      }
      var start = i
      while start > 0, characters[start - 1] == "}" { start -= 1 }
      let closing = (i - start).isMultiple(of: 2) ? i : closings[i + 1]
      for place in start...i { closings[place] = closing }
      i = start - 1
    }
    return closings
  }

  private static func unescaped(_ characters: ArraySlice<Unicode.Scalar>) -> String {
    String(String.UnicodeScalarView(characters))
      .replacingAll("{{", with: "{").replacingAll("}}", with: "}")
  }
}
