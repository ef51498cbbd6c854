/// The tokenizer of T5: words, each cut into the pieces of a unigram vocabulary.
package struct UnigramTokenizer: Sendable {
  /// A token that texts may spell out.
  package struct Mark: Sendable {
    package let text: String
    package let token: Int
    /// Whether white space beside it goes.
    package let stripsLeft, stripsRight: Bool

    package init(
      _ text: String, token: Int, stripsLeft: Bool = false, stripsRight: Bool = false
    ) {
      self.text = text
      self.token = token
      self.stripsLeft = stripsLeft
      self.stripsRight = stripsRight
    }
  }

  package let vocabulary: UnigramVocabulary
  /// Tokens that come behind every text: the end mark.
  package let ending: [Int]
  /// What fills rows.
  package let padding: Int
  /// Longest first.
  private let marks: [Mark]
  private let firstBytes: Set<UInt8>
  private let rules: [TextRule]
  private let splits: [SplitRule]

  package init(
    _ vocabulary: UnigramVocabulary, rules: [TextRule], splits: [SplitRule], marks: [Mark],
    ending: [Int], padding: Int = 0
  ) {
    self.vocabulary = vocabulary
    self.rules = rules
    self.splits = splits
    self.marks = marks.filter { !$0.text.isEmpty }.sorted {
      $0.text.utf8.count > $1.text.utf8.count
    }
    firstBytes = Set(self.marks.compactMap { $0.text.utf8.first })
    self.ending = ending
    self.padding = padding
  }

  /// How many kinds of tokens there are: one more than the greatest.
  package var tokenCount: Int {
    max(vocabulary.count, (marks.map(\.token) + ending + [padding]).max()! + 1)
  }

  /// The tokens of a text of any length and its ending.
  package func tokens(_ text: String) -> [Int] {
    var tokens: [Int] = []
    for part in parts(of: text) {
      switch part {
      case .mark(let token): tokens.append(token)
      case .text(let text, let isFirst):
        let made = rules.reduce(text) { $1.applied(to: $0) }
        for word in words(of: made, isFirst: isFirst) {
          tokens += vocabulary.tokens(of: word)
        }
      }
    }
    return tokens + ending
  }

  /// A row of tokens, cut and filled, and how many of them are not padding.
  ///
  /// As transformers makes it with `padding="max_length", truncation=True`: what is too long is cut before the ending.
  package func row(_ text: String, length: Int) -> (tokens: [Int], count: Int) {
    let inner = tokens(text).dropLast(ending.count)
    let row = (inner.prefix(max(length - ending.count, 0)) + ending).prefix(length)
    return (row + [Int](repeating: padding, count: length - row.count), row.count)
  }

  private func words(of text: String, isFirst: Bool) -> [String] {
    splits.reduce([(text, isFirst)]) { parts, rule in
      parts.flatMap { part, isFirst in
        rule.words(of: part, isFirst: isFirst).enumerated().map { ($1, isFirst && $0 == 0) }
      }
    }.map(\.0)
  }

  private enum Part {
    case text(String, isFirst: Bool)
    case mark(Int)
  }

  /// A text between the marks that it spells out exactly.
  private func parts(of text: String) -> [Part] {
    let bytes = Array(text.utf8)
    guard bytes.contains(where: firstBytes.contains) else { return [.text(text, isFirst: true)] }
    var parts: [Part] = []
    var (start, position) = (0, 0)
    func close(_ end: Int, stripping: Bool) {
      guard start < end else { return }
      var part = String(decoding: bytes[start..<end], as: UTF8.self)
      if stripping {
        while let last = part.unicodeScalars.last, last.properties.isWhitespace {
          part.unicodeScalars.removeLast()
        }
      }
      if !part.isEmpty { parts.append(.text(part, isFirst: start == 0)) }
    }
    while position < bytes.count {
      guard firstBytes.contains(bytes[position]),
        let mark = marks.first(where: { bytes[position...].starts(with: $0.text.utf8) })
      else {
        position += 1
        continue
      }
      close(position, stripping: mark.stripsLeft)
      parts.append(.mark(mark.token))
      position += mark.text.utf8.count
      if mark.stripsRight {
        let rest = String(decoding: bytes[position...], as: UTF8.self)
        position += rest.unicodeScalars.prefix(while: \.properties.isWhitespace)
          .reduce(0) { $0 + UTF8.width($1) }
      }
      start = position
    }
    close(bytes.count, stripping: false)
    return parts
  }
}
