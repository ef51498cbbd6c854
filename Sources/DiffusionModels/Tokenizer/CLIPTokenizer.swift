/// CLIP's tokenizer: byte pairs within words, as transformers' `CLIPTokenizer` splits and merges them.
package struct CLIPTokenizer: Sendable {
  /// How many kinds of tokens there are.
  package static let vocabularySize = 49408
  /// Comes before every text.
  package static let start = CLIPVocabulary.start
  /// Comes behind every text.
  package static let end = CLIPVocabulary.end
  /// How many tokens a text encoder takes at a time, start and end among them.
  package static let rowLength = 77

  /// The marks as texts may spell them.
  static let marks = [(name: "<|startoftext|>", token: start), (name: "<|endoftext|>", token: end)]

  /// What fills a row: the end mark in Stable Diffusion 1, 0 in 2.
  package let padding: Int

  package init(padsWith padding: Int = CLIPTokenizer.end) { self.padding = padding }

  /// The tokens of a text of any length between the start and the end mark, unpadded.
  package func tokens(_ text: String) -> [Int] {
    var tokens = [Self.start]
    for part in Self.parts(of: text) {
      switch part {
      case .mark(let token): tokens.append(token)
      case .text(let text):
        for word in CaptionWords(text).words {
          tokens += WordPieces(word, .shared).merged()
        }
      }
    }
    return tokens + [Self.end]
  }

  private enum Part {
    case text(Substring)
    case mark(Int)
  }

  /// A text between the marks that it spells out exactly.
  private static func parts(of text: String) -> [Part] {
    guard text.utf8.contains(UInt8(ascii: "<")) else { return [.text(text[...])] }
    var parts: [Part] = []
    var (start, position) = (text.startIndex, text.startIndex)
    let bytes = text.utf8
    while let found = bytes[position...].firstIndex(of: UInt8(ascii: "<")) {
      guard let mark = marks.first(where: { bytes[found...].starts(with: $0.name.utf8) }) else {
        position = bytes.index(after: found)
        continue
      }
      parts += [.text(text[start..<found]), .mark(mark.token)]
      position = bytes.index(found, offsetBy: mark.name.utf8.count)
      start = position
    }
    return parts + [.text(text[start...])]
  }
}
