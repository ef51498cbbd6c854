/// One word on its way to the pieces of a vocabulary: neighbours become one, the most frequent pair of
/// the vocabulary first, of equal ones the leftmost.
///
/// - Complexity: O(n log n) in the bytes of the word.
struct WordPieces {
  /// A pair that could become one.
  private struct Candidate {
    let rank: Int
    let position: Int
    let left, right: Int
    let piece: Int

    func isBefore(_ other: Candidate) -> Bool {
      rank != other.rank ? rank < other.rank : position < other.position
    }
  }

  private let vocabulary: CLIPVocabulary
  /// Of the piece that begins at a byte; -1 where none does any longer.
  private var numbers: [Int]
  private var next, previous: [Int]
  /// A binary heap, the best on top.
  private var candidates: [Candidate] = []

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
    while let best = removeBest() {
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
    var child = candidates.count
    candidates.append(
      Candidate(
        rank: merge.rank, position: position, left: numbers[position], right: numbers[partner],
        piece: merge.piece))
    while child > 0, candidates[child].isBefore(candidates[(child - 1) / 2]) {
      candidates.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func removeBest() -> Candidate? {
    guard let best = candidates.first, let last = candidates.popLast() else { return nil }
    guard !candidates.isEmpty else { return best }
    candidates[0] = last
    var parent = 0
    while true {
      var first = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < candidates.count && candidates[child].isBefore(candidates[first]) {
        first = child
      }
      guard first != parent else { return best }
      candidates.swapAt(parent, first)
      parent = first
    }
  }
}
