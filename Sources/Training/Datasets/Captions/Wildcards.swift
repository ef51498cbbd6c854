/// `{a|b|c}` in a caption stands for one of them, a line of several for itself, and `{{` for a brace.
enum Wildcards {
  /// Draws the line first, then the choices from left to right.
  static func resolved(_ caption: String, using generator: inout CounterGenerator) -> String {
    var text = caption[...]
    let lines = caption.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.count > 1 { text = lines[generator.integer(below: lines.count)] }

    let characters = Array(text)
    var result = ""
    var i = 0
    while i < characters.count {
      let character = characters[i]
      if character == "{" || character == "}", i + 1 < characters.count,
        characters[i + 1] == character
      {
        result.append(character)
        i += 2
      } else if character == "{", let end = closing(characters, after: i) {
        let choices = unescaped(characters[(i + 1)..<end]).components(separatedBy: "|")
        result += choices[generator.integer(below: choices.count)]
        i = end + 1
      } else {
        result.append(character)
        i += 1
      }
    }
    return result
  }

  /// The brace that closes the one at `start`, unless nothing stands between.
  private static func closing(_ characters: [Character], after start: Int) -> Int? {
    var i = start + 1
    while i < characters.count {
      if characters[i] == "}" {
        guard i + 1 < characters.count, characters[i + 1] == "}" else {
          return i > start + 1 ? i : nil
        }
        i += 1
      }
      i += 1
    }
    return nil
  }

  private static func unescaped(_ characters: ArraySlice<Character>) -> String {
    String(characters).replacingAll("{{", with: "{").replacingAll("}}", with: "}")
  }
}
