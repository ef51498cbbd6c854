extension Collection<String> {
  /// The word that takes the fewest changes to get to, for a message; nil where none is near.
  package func nearest(to word: String) -> String? {
    let (length, limit) = (word.utf8.count, Swift.max(2, word.count / 2))
    // What is much longer or shorter needs no comparison: a value may have any length.
    let distances = filter { abs($0.utf8.count - length) <= limit }
      .map { (word.editDistance(to: $0), $0) }
    return distances.min { $0 < $1 }.flatMap { $0.0 <= limit ? $0.1 : nil }
  }
}

extension String {
  /// Insertions, deletions and replacements of bytes between the two.
  /// - Complexity: O(n · m)
  package func editDistance(to other: String) -> Int {
    let (a, b) = (Array(utf8), Array(other.utf8))
    var row = Array(0...b.count)
    for i in a.indices {
      var diagonal = row[0]
      row[0] = i + 1
      for j in b.indices {
        let replaced = diagonal + (a[i] == b[j] ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = Swift.min(replaced, row[j] + 1, row[j + 1] + 1)
      }
    }
    return row[b.count]
  }
}
