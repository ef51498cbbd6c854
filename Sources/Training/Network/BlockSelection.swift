import Machine

/// Which blocks are trained, as kohya's scripts have it: `all`, `none`, or numbers and ranges of them with commas
/// between, `0-3,7`.
struct BlockSelection: Equatable, Sendable {
  /// nil for all.
  let ranges: [ClosedRange<Int>]?

  /// nil for a text of another form.
  init?(_ text: String) {
    switch text {
    case "all": ranges = nil
    case "none", "": ranges = []
    default:
      var ranges: [ClosedRange<Int>] = []
      for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { end in
          Int(String(end.filter { !$0.isWhitespace })).flatMap { number in
            GivenInteger.range(from: 0).contains(number) ? number : nil
          }
        }
        guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
          first <= last
        else { return nil }
        ranges.append(first...last)
      }
      self.ranges = ranges
    }
  }

  func contains(_ number: Int) -> Bool { ranges?.contains { $0.contains(number) } ?? true }

  /// The highest number that is named.
  var last: Int? { ranges?.map(\.upperBound).max() }
}
