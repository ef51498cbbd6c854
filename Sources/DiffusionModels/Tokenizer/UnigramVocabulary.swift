/// Pieces of words with the logarithms of their probabilities: a word is cut so that their sum is greatest.
///
/// Sources: Kudo, Subword Regularization (2018); Hugging Face's tokenizers `models/unigram/model.rs`, whose sums in double
/// precision decide between cuts that are nearly equal.
package struct UnigramVocabulary: Sendable {
  package let count: Int
  /// The token of what no piece stands for.
  let unknown: Int
  private let scores: [Double]
  /// Of a node of the trie and a byte the next node.
  private var children: [UInt64: UInt32] = [:]
  /// Of a node the piece that ends there.
  private var pieces: [Int32] = [-1]
  private let unknownScore: Double

  /// - Parameters:
  ///   - pieces: in the order of their tokens, with their scores.
  ///   - unknown: which of them stands for what no piece stands for.
  /// - Throws: `TokenizerError.damaged`
  package init(
    _ pieces: [(text: String, score: Double)], unknown: Int
  ) throws(TokenizerError) {
    guard pieces.indices.contains(unknown) else {
      throw .damaged(expected: "an unknown token among the \(pieces.count) pieces, not \(unknown)")
    }
    guard pieces.allSatisfy({ $0.score.isFinite }) else {
      throw .damaged(expected: "scores of pieces that are numbers")
    }
    count = pieces.count
    self.unknown = unknown
    scores = pieces.map(\.score)
    // What no piece stands for counts less than any.
    unknownScore = (scores.min() ?? 0) - 10
    children.reserveCapacity(4 * pieces.count)
    for (token, piece) in pieces.enumerated() { add(piece.text, token) }
  }

  private mutating func add(_ text: String, _ token: Int) {
    guard !text.isEmpty else { return }
    var node: UInt32 = 0
    for byte in text.utf8 {
      let edge = Self.edge(node, byte)
      if let next = children[edge] {
        node = next
      } else {
        node = UInt32(pieces.count)
        children[edge] = node
        pieces.append(-1)
      }
    }
    pieces[Int(node)] = Int32(token)
  }

  private static func edge(_ node: UInt32, _ byte: UInt8) -> UInt64 {
    UInt64(node) << 8 | UInt64(byte)
  }

  /// The best way to some place of a word.
  private struct Step {
    var score = 0.0
    /// Where its last piece begins; nil for a place that is not reached.
    var start: Int?
    var token = 0
  }

  /// The tokens of a word; neighbours that no piece stands for are one.
  /// - Complexity: O(bytes · length of the longest piece)
  func tokens(of word: String) -> [Int] {
    let bytes = Array(word.utf8)
    var best = [Step](repeating: Step(), count: bytes.count + 1)
    var start = 0
    while start < bytes.count {
      let score = best[start].score
      let width = Self.width(bytes[start])
      var hasScalar = false
      var node: UInt32 = 0
      var end = start
      while end < bytes.count, let next = children[Self.edge(node, bytes[end])] {
        node = next
        end += 1
        let token = Int(pieces[Int(node)])
        guard token >= 0 else { continue }
        if end - start == width { hasScalar = true }
        improve(&best[end], score + scores[token], from: start, token)
      }
      if !hasScalar { improve(&best[start + width], score + unknownScore, from: start, unknown) }
      start += width
    }
    var tokens: [Int] = []
    var end = bytes.count
    while end > 0, let start = best[end].start {
      let token = best[end].token
      if token != unknown || tokens.last != unknown { tokens.append(token) }
      end = start
    }
    return tokens.reversed()
  }

  private func improve(_ step: inout Step, _ score: Double, from start: Int, _ token: Int) {
    guard step.start == nil || score > step.score else { return }
    step = Step(score: score, start: start, token: token)
  }

  /// Bytes of the scalar that begins with one.
  private static func width(_ first: UInt8) -> Int {
    first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
  }
}
