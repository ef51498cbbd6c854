/// A step from a text to the words of a unigram tokenizer, as `tokenizer.json` lists them.
package enum TextRule: Sendable {
  /// Characters are made others.
  case map(CharacterMap)
  /// White space goes at the ends.
  case strip(left: Bool, right: Bool)
  /// A text takes the place of another.
  case replace(String, with: String)
  /// A text takes the place of two or more spaces.
  case replaceSpaces(with: String)

  func applied(to text: String) -> String {
    switch self {
    case .map(let map): return map.applied(to: text)
    case .strip(let left, let right):
      var scalars = text.unicodeScalars[...]
      if left { scalars = scalars.drop(while: \.properties.isWhitespace) }
      while right, let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
      return String(scalars)
    case .replace(let part, let other): return text.replacing(bytesOf: part, with: other)
    case .replaceSpaces(let other): return text.replacingRunsOfSpaces(with: other)
    }
  }
}

/// How a text is cut into words, each of which is made tokens by itself.
package enum SplitRule: Sendable {
  /// When the mark of a word's beginning comes before a text that does not have it.
  package enum Prefix: Sendable {
    case always, first, never
  }

  /// At white space, which goes.
  case whitespace
  /// Spaces become a mark, ▁, which also comes before a text.
  /// - Parameter splits: whether words end before every mark.
  case mark(String, prefix: Prefix, splits: Bool)

  /// - Parameter isFirst: whether it is the beginning of the whole text.
  func words(of text: String, isFirst: Bool) -> [String] {
    switch self {
    case .whitespace:
      return text.unicodeScalars.split(whereSeparator: \.properties.isWhitespace)
        .map { String($0) }
    case .mark(let mark, let prefix, let splits):
      var text = text.replacing(bytesOf: " ", with: mark)
      let wants = prefix == .always || prefix == .first && isFirst
      if wants, !text.isEmpty, !text.utf8.starts(with: mark.utf8) { text = mark + text }
      return splits ? text.split(before: mark) : text.isEmpty ? [] : [text]
    }
  }
}

extension String {
  /// Every place of a text with the same bytes, from the left on.
  fileprivate func replacing(bytesOf part: String, with other: String) -> String {
    let (bytes, part) = (Array(utf8), Array(part.utf8))
    guard !part.isEmpty else { return self }
    var result: [UInt8] = []
    var position = 0
    while position < bytes.count {
      if bytes[position...].starts(with: part) {
        result += other.utf8
        position += part.count
      } else {
        result.append(bytes[position])
        position += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  fileprivate func replacingRunsOfSpaces(with other: String) -> String {
    var result = String.UnicodeScalarView()
    var spaces = 0
    func close() {
      if spaces > 1 { result.append(contentsOf: other.unicodeScalars) }
      if spaces == 1 { result.append(" ") }
      spaces = 0
    }
    for scalar in unicodeScalars {
      if scalar == " " {
        spaces += 1
      } else {
        close()
        result.append(scalar)
      }
    }
    close()
    return String(result)
  }

  /// Parts that begin with a mark, but for the first one; none is empty.
  fileprivate func split(before mark: String) -> [String] {
    let (bytes, mark) = (Array(utf8), Array(mark.utf8))
    var parts: [String] = []
    var (start, position) = (0, 0)
    while position < bytes.count {
      guard bytes[position...].starts(with: mark) else {
        position += 1
        continue
      }
      if position > start {
        parts.append(String(decoding: bytes[start..<position], as: UTF8.self))
      }
      start = position
      position += mark.count
    }
    if start < bytes.count { parts.append(String(decoding: bytes[start...], as: UTF8.self)) }
    return parts
  }
}
