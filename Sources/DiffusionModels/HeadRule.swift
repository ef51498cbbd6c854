/// How many heads the attention of a model has.
package enum HeadRule: Hashable, Sendable {
  /// As many at every width.
  case count(Int)
  /// By level, widest image first; the last holds for all further ones.
  case counts([Int])
  /// As many as heads of that width fit, at least one.
  case width(Int)

  /// - Parameters:
  ///   - level: 0 where the image is widest.
  ///   - width: channels of all heads together.
  func count(level: Int, width: Int) -> Int {
    switch self {
    case .count(let count): count
    case .counts(let counts): counts.isEmpty ? 1 : counts[min(level, counts.count - 1)]
    case .width(let headWidth): max(1, width / max(headWidth, 1))
    }
  }
}
