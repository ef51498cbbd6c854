/// What means something in prompts of web UIs and is read as text here.
///
/// Source: AUTOMATIC1111's `modules/prompt_parser.py`.
struct PromptSyntax {
  /// As it stands in the prompt, each with what it does elsewhere.
  private(set) var unread: [(mark: String, meaning: String)] = []

  init(of text: String) {
    if text.contains("<lora:") || text.contains("<lyco:") {
      unread.append(
        ("<lora:…>", "adapters are named on the command line, with '--ratio'"))
    }
    if let mark = Self.brackets(in: text).first(where: Self.isSchedule) {
      unread.append((mark, "a prompt does not change from step to step"))
    }
    let words = text.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
    for (word, meaning) in [
      ("AND", "a picture is drawn of one prompt"),
      ("BREAK", "rows of 75 tokens are filled one after the other"),
    ] where words.contains(Substring(word)) {
      unread.append((word, meaning))
    }
  }

  /// What stands in innermost square brackets, with these; `\[` is a letter.
  private static func brackets(in text: String) -> [String] {
    var (found, start) = ([String](), String.Index?.none)
    var isEscaped = false
    for index in text.indices {
      switch text[index] {
      case _ where isEscaped: isEscaped = false
      case "\\": isEscaped = true
      case "[": start = index
      case "]":
        if let start { found.append(String(text[start...index])) }
        start = nil
      default: break
      }
    }
    return found
  }

  /// `[from:to:when]`, `[to:when]` or `[one|other]`.
  private static func isSchedule(_ mark: String) -> Bool {
    let parts = mark.dropFirst().dropLast()
      .split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count > 1, let when = parts.last else { return mark.contains("|") }
    return Double(when.trimmed) != nil || mark.contains("|")
  }
}
