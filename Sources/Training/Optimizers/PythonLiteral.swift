/// A value as Python writes it in `key=value` options: numbers, `True`, `None`, strings and tuples of them.
enum PythonLiteral: Equatable, Sendable {
  case none
  case bool(Bool)
  case number(Double)
  case string(String)
  case tuple([PythonLiteral])

  /// nil if the text is none of these. A bare word is a string, as shells lose quotes.
  init?(_ text: String) {
    let text = String(text.trimmingBlanks)
    guard let first = text.first, let last = text.last else { return nil }
    if ("(" == first && last == ")") || ("[" == first && last == "]") {
      self.init(elements: text.dropFirst().dropLast())
    } else if text.count > 1, first == last, first == "'" || first == "\"" {
      self = .string(String(text.dropFirst().dropLast()))
    } else if text.contains(","), !text.contains(":") {
      self.init(elements: text[...])
    } else {
      switch text {
      case "None": self = .none
      case "True", "true": self = .bool(true)
      case "False", "false": self = .bool(false)
      default:
        let digits = text.filter { $0 != "_" }
        self = Double(digits).map { .number($0) } ?? .string(text)
      }
    }
  }

  private init?(elements text: Substring) {
    var elements: [PythonLiteral] = []
    for part in text.split(separator: ",") where !part.trimmingBlanks.isEmpty {
      guard let element = PythonLiteral(String(part)) else { return nil }
      elements.append(element)
    }
    self = .tuple(elements)
  }
}

extension PythonLiteral {
  /// As Python's `str` has it: `(0.9, 0.99)`, `1e-08`, `True`. Numbers without a fraction are integers.
  var printed: String {
    switch self {
    case .none: "None"
    case .bool(let value): value ? "True" : "False"
    case .number(let value): Int(exactly: value).map { "\($0)" } ?? "\(value)"
    case .string(let text): text
    case .tuple(let elements):
      "(" + elements.map(\.element).joined(separator: ", ") + (elements.count == 1 ? ",)" : ")")
    }
  }

  /// Within a tuple, where Python quotes texts.
  private var element: String { if case .string(let text) = self { "'\(text)'" } else { printed } }
}

extension StringProtocol {
  var trimmingBlanks: SubSequence {
    guard let first = firstIndex(where: { !$0.isWhitespace }),
      let last = lastIndex(where: { !$0.isWhitespace })
    else { return self[endIndex...] }
    return self[first...last]
  }
}
