/// The vocabulary of CLIP: which pieces of a word become one, and their numbers.
struct CLIPVocabulary: Sendable {
  /// Marks the first piece of a text.
  static let start = 49406
  /// Marks the end of a text.
  static let end = 49407

  /// What two neighbouring pieces become.
  struct Merge: Sendable {
    /// The earlier of two possible ones comes first.
    let rank: Int
    let piece: Int
  }

  /// Numbers of single bytes; that of a byte at the end of a word is 256 more.
  let bytes: [Int]
  private let merges: [UInt64: Merge]

  /// Read once, from a table within the program.
  static let shared = CLIPVocabulary(merges: clipMerges)

  /// - Parameter text: see `clipMerges`.
  init(merges text: String) {
    // Bytes that Latin-1 prints come first, each in its place.
    let printed = Array(33...126) + Array(161...172) + Array(174...255)
    let others = (0...255).filter { !Set(printed).contains($0) }
    var bytes = [Int](repeating: 0, count: 256)
    for (number, byte) in (printed + others).enumerated() { bytes[byte] = number }
    self.bytes = bytes
    var merges: [UInt64: Merge] = [:]
    merges.reserveCapacity(Self.end)
    let digits = text.utf8Span.span
    var position = 0
    func number() -> Int {
      var number = 0
      for _ in 0..<3 {
        if digits[position] == UInt8(ascii: "\n") { position += 1 }
        number = number << 6 | Int(digits[position] - UInt8(ascii: "0"))
        position += 1
      }
      return number
    }
    while position < digits.count {
      let rank = merges.count
      merges[Self.pair(number(), number())] = Merge(rank: rank, piece: 512 + rank)
    }
    self.merges = merges
  }

  func merge(_ left: Int, _ right: Int) -> Merge? { merges[Self.pair(left, right)] }

  private static func pair(_ left: Int, _ right: Int) -> UInt64 {
    UInt64(left) << 32 | UInt64(right)
  }
}
