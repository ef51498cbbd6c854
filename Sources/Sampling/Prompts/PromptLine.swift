/// A prompt in one line, as kohya's scripts take it: `a cat --n bad --w 512 --h 768 --d 1 --l 7.5 --s 20`.
///
/// The line is cut at every `--` behind white space, of whatever kind: text that is copied has tabs and no-break spaces,
/// at which kohya's scripts do not cut. Only parts behind the first are options; kohya's scripts look for options in the
/// first one too, so that a prompt may set one by accident. They pass over what they do not know and take a number
/// for what stands at its beginning; here both are errors.
/// Source: sd-scripts `library/train_util.py`, `line_to_prompt_dict`.
package struct PromptLine {
  package let prompt: SamplePrompt
  /// What has no effect.
  package let notices: [String]

  /// - Parameters:
  ///   - line: without its end.
  ///   - place: for messages.
  /// - Throws: `PromptError`
  package init(_ line: String, at place: String) throws(PromptError) {
    let parts = Self.parts(of: line)
    let text = parts[0].trimmed
    guard !text.hasPrefix("--"), !(text.isEmpty && parts.count > 1) else {
      throw .noText(place: place)
    }
    var prompt = SamplePrompt(text, at: place)
    var given: Set<String> = []
    var notices: [String] = []
    for part in parts.dropFirst() {
      let letters = String(part.prefix { !$0.isWhitespace })
      let value = part.dropFirst(letters.count).trimmed
      guard let option = PromptOption(letters: letters) else {
        guard let reason = PromptOption.unused[letters.lowercased()] else {
          throw .unknownOption(
            place: place, name: "--\(letters)", near: nil,
            known: PromptOption.allCases.map { "--\($0.letters)" })
        }
        notices.append("\(place): '--\(letters)' has no effect: \(reason)")
        continue
      }
      guard given.insert(option.letters).inserted else {
        throw .repeatedOption(place: place, name: "--\(letters)")
      }
      let read = option.value(value)
      guard option.set(read, in: &prompt) else {
        throw .value(
          place: place, name: "--\(letters)", expected: option.expected(insteadOf: read),
          found: value.isEmpty ? "nothing" : "'\(value)'")
      }
    }
    self.prompt = prompt
    self.notices = notices
    try prompt.check()
  }

  /// What stands between two `--` that white space goes before.
  private static func parts(of line: String) -> [Substring] {
    var (parts, start) = ([Substring](), line.startIndex)
    var index = start
    while index < line.endIndex {
      let next = line.index(after: index)
      if line[index].isWhitespace, line[next...].hasPrefix("--") {
        parts.append(line[start..<index])
        start = line.index(next, offsetBy: 2)
        index = start
      } else {
        index = next
      }
    }
    return parts + [line[start...]]
  }
}

extension SamplePrompt {
  /// More than anybody writes, and few enough for a text encoder.
  package static let mostCharacters = 10_000

  /// - Throws: `PromptError.tooLong`
  package func check() throws(PromptError) {
    for text in [text, negative ?? ""] where text.count > Self.mostCharacters {
      throw .tooLong(place: place, limit: Self.mostCharacters, found: text.count)
    }
  }
}

extension StringProtocol {
  /// Without white space at its ends.
  var trimmed: String {
    var text = self[...]
    while text.first?.isWhitespace ?? false { text.removeFirst() }
    while text.last?.isWhitespace ?? false { text.removeLast() }
    return String(text)
  }
}
