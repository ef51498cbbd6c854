/// Shell patterns in the syntax of RE2. Source: Python's `fnmatch.translate`.
enum ShellPattern {
  /// The pattern as an expression for the whole of a name.
  static func translated(_ text: String) -> String {
    var output = "(?s)"
    var rest = Array(text.unicodeScalars)[...]
    while let scalar = rest.popFirst() {
      switch scalar {
      case "*":
        // Several stars are one.
        if !output.hasSuffix(".*") { output += ".*" }
      case "?": output += "."
      case "[":
        // A bracket right behind the opening one is a member; one that never closes is itself.
        let first = rest.first == "!" ? rest.dropFirst() : rest
        guard let end = first.dropFirst().firstIndex(of: "]") else {
          output += "\\["
          continue
        }
        output += set(first[..<end], isNegated: rest.first == "!")
        rest = rest[(end + 1)...]
      default: output += scalar.literal
      }
    }
    return output
  }

  private static func set(_ members: ArraySlice<Unicode.Scalar>, isNegated: Bool) -> String {
    var output = ""
    var rest = members
    while let low = rest.popFirst() {
      guard rest.count >= 2, rest.first == "-" else {
        output += low.literal
        continue
      }
      let high = rest[rest.startIndex + 1]
      rest = rest.dropFirst(2)
      // A range that runs backwards has no members.
      if low.value <= high.value { output += "\(low.literal)-\(high.literal)" }
    }
    guard !output.isEmpty else { return isNegated ? "." : "[^\\x00-\\x{10ffff}]" }
    return "[\(isNegated ? "^" : "")\(output)]"
  }
}

extension Unicode.Scalar {
  /// As RE2 reads it for itself, in sets as well.
  var literal: String {
    switch self {
    case "0"..."9", "a"..."z", "A"..."Z", "_": "\(self)"
    default: value < 0x80 ? "\\x{\(String(value, radix: 16))}" : "\(self)"
    }
  }
}
