/// What `\d`, `\s` and `\w` stand for, as ranges of a set.
enum CharacterClass {
  private static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
  private static let spaces: [ClosedRange<UInt32>] = [
    0x09...0x0D, 0x1C...0x20, 0x85...0x85, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A,
    0x2028...0x2029, 0x202F...0x202F, 0x205F...0x205F, 0x3000...0x3000,
  ]
  /// The letters of all languages would be some 700 ranges; all beyond ASCII stands for them.
  private static let words: [ClosedRange<UInt32>] = [
    0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A, 0x80...0x10FFFF,
  ]

  /// - Parameter letter: one of `dDsSwW`; a capital stands for all others.
  static func ranges(of letter: Unicode.Scalar, isASCII: Bool) -> String {
    let ranges =
      switch letter {
      case "d", "D": digits
      case "s", "S": isASCII ? [0x09...0x0D, 0x20...0x20] : spaces
      default: isASCII ? words.dropLast() : words
      }
    return (letter.properties.isUppercase ? complement(ranges) : ranges).map {
      "\\x{\(String($0.lowerBound, radix: 16))}-\\x{\(String($0.upperBound, radix: 16))}"
    }.joined()
  }

  private static func complement(_ ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    var start: UInt32 = 0
    var others: [ClosedRange<UInt32>] = []
    for range in ranges {
      if range.lowerBound > start { others.append(start...(range.lowerBound - 1)) }
      start = range.upperBound + 1
    }
    return start > 0x10FFFF ? others : others + [start...0x10FFFF]
  }
}
