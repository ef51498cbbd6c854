import HeapModule

/// One word on its way to the pieces of a vocabulary: neighbours become one, the most frequent pair of
/// the vocabulary first, of equal ones the leftmost.
///
/// - Complexity: O(n log n) in the bytes of the word.
struct WordPieces {
  /// A pair that could become one.
  private struct Candidate: Comparable {
    let rank: Int
    let position: Int
    let left, right: Int
    let piece: Int

    static func < (a: Candidate, b: Candidate) -> Bool {
      (a.rank, a.position) < (b.rank, b.position)
    }
  }

  private let vocabulary: CLIPVocabulary
  /// Of the piece that begins at a byte; -1 where none does any longer.
  private var numbers: [Int]
  private var next, previous: [Int]
  private var candidates = Heap<Candidate>()

  /// - Parameter bytes: of the word in UTF-8; not empty.
  init(_ bytes: some Collection<UInt8>, _ vocabulary: CLIPVocabulary) {
    self.vocabulary = vocabulary
    numbers = bytes.map { vocabulary.bytes[Int($0)] }
    numbers[numbers.count - 1] += 256
    next = Array(1...numbers.count)
    previous = Array(-1..<numbers.count - 1)
  }

  /// The numbers of the pieces.
  consuming func merged() -> [Int] {
    for position in 0..<numbers.count { consider(position) }
    while let best = candidates.popMin() {
      let (position, partner) = (best.position, next[best.position])
      guard partner < numbers.count, numbers[position] == best.left, numbers[partner] == best.right
      else { continue }
      numbers[position] = best.piece
      numbers[partner] = -1
      next[position] = next[partner]
      if next[partner] < numbers.count { previous[next[partner]] = position }
      if previous[position] >= 0 { consider(previous[position]) }
      consider(position)
    }
    return numbers.filter { $0 >= 0 }
  }

  /// Remembers what the piece there and the one behind it could become.
  private mutating func consider(_ position: Int) {
    let partner = next[position]
    guard partner < numbers.count, let merge = vocabulary.merge(numbers[position], numbers[partner])
    else { return }
    candidates.insert(
      Candidate(
        rank: merge.rank, position: position, left: numbers[position], right: numbers[partner],
        piece: merge.piece))
  }
}
