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

  /// - Parameter text: two pieces a line, spelled with one character for each byte.
  init(merges text: String) {
    // Bytes that Latin-1 prints stand for themselves, the others for characters from 256 on.
    let printed = Array(33...126) + Array(161...172) + Array(174...255)
    let others = (0...255).filter { !Set(printed).contains($0) }
    var bytes = [Int](repeating: 0, count: 256)
    var pieces: [Substring: Int] = [:]
    pieces.reserveCapacity(Self.end)
    let spelled = Array(zip(printed, printed)) + Array(zip(others, 256...))
    for (number, (byte, code)) in spelled.enumerated() {
      bytes[byte] = number
      let character = Substring(String(UnicodeScalar(UInt16(code))!))
      pieces[character] = number
      pieces[character + "</w>"] = number + 256
    }
    var merges: [UInt64: Merge] = [:]
    merges.reserveCapacity(Self.end)
    for (rank, line) in text.split(separator: "\n").enumerated() {
      let parts = line.split(separator: " ")
      guard parts.count == 2, let left = pieces[parts[0]], let right = pieces[parts[1]] else {
        preconditionFailure("line \(rank) of the merges names two earlier pieces")
      }
      let piece = 512 + rank
      pieces[parts[0] + parts[1]] = piece
      merges[Self.pair(left, right)] = Merge(rank: rank, piece: piece)
    }
    self.bytes = bytes
    self.merges = merges
  }

  func merge(_ left: Int, _ right: Int) -> Merge? { merges[Self.pair(left, right)] }

  private static func pair(_ left: Int, _ right: Int) -> UInt64 {
    UInt64(left) << 32 | UInt64(right)
  }
}
