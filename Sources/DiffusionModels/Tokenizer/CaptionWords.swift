// The standard library's own composition, as Foundation's without ICU uses it.
@_spi(_Unicode) import Swift

/// The words that CLIP splits a text into: runs of letters, single digits, runs of other signs, and the
/// endings of English contractions; in lower case, without white space.
struct CaptionWords {
  private enum Class { case space, letter, number, other }

  /// In UTF-8.
  private(set) var words: [[UInt8]] = []

  private let scalars: [UnicodeScalar]
  private let classes: [Class]

  /// - Parameter text: composed here (NFC) and put into lower case, sign by sign.
  init(_ text: Substring) {
    var scalars: [UnicodeScalar] = []
    for scalar in Self.composed(text).unicodeScalars {
      if scalar.value < 0x80 {
        let isUpper = (0x41...0x5A).contains(scalar.value)
        scalars.append(isUpper ? UnicodeScalar(UInt8(scalar.value + 32)) : scalar)
      } else {
        scalars += scalar.properties.lowercaseMapping.unicodeScalars
      }
    }
    self.scalars = scalars
    classes = scalars.map(Self.class)
    var start = 0
    while start < scalars.count {
      if let mark = Self.marks.first(where: { scalars[start...].starts(with: $0) }) {
        // A spelled out mark is three words, whatever follows it.
        let end = start + mark.count
        for range in [start..<start + 2, start + 2..<end - 2, end - 2..<end] { appendWord(range) }
        start = end
        continue
      }
      let end = wordEnd(from: start)
      if classes[start] != .space { appendWord(start..<end) }
      start = end
    }
  }

  /// Signs below U+0300 are composed already.
  private static func composed(_ text: Substring) -> String {
    if text.unicodeScalars.allSatisfy({ $0.value < 0x300 }) { return String(text) }
    var scalars = String.UnicodeScalarView()
    for scalar in String(text)._nfc { scalars.append(scalar) }
    return String(scalars)
  }

  private static func `class`(_ scalar: UnicodeScalar) -> Class {
    switch scalar.value {
    case 0x61...0x7A, 0x41...0x5A: return .letter
    case 0x30...0x39: return .number
    case 0x20, 0x09...0x0D: return .space
    case 0..<0x80: return .other
    default: break
    }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return .letter
    case .decimalNumber, .letterNumber, .otherNumber: return .number
    default: return scalar.properties.isWhitespace ? .space : .other
    }
  }

  /// Where the word that begins there ends.
  private func wordEnd(from start: Int) -> Int {
    if scalars[start] == "'" {
      for ending in Self.endings where scalars[start...].starts(with: ending) {
        return start + ending.count
      }
    }
    let first = classes[start]
    guard first == .letter || first == .other else { return start + 1 }
    return classes[start...].firstIndex { $0 != first } ?? classes.count
  }

  private static let endings = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
    Array($0.unicodeScalars)
  }
  private static let marks = CLIPTokenizer.marks.map { Array($0.name.unicodeScalars) }

  private mutating func appendWord(_ range: Range<Int>) {
    var bytes: [UInt8] = []
    for scalar in scalars[range] { bytes += UTF8.encode(scalar)! }
    words.append(bytes)
  }
}
