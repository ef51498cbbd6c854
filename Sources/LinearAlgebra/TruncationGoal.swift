/// How many leading triplets of an SVD are asked for.
enum TruncationGoal: Sendable {
  /// So many.
  case rank(Int)
  /// The fewest that leave at most this part of the Frobenius norm, but no more than so many.
  case relativeError(Double, maximumRank: Int)

  /// The largest rank that can be the answer.
  var limit: Int {
    switch self {
    case .rank(let rank): rank
    case .relativeError(_, let maximumRank): maximumRank
    }
  }

  /// Whether an answer that meets the goal may leave so much of the energy.
  func mayLeave(_ part: Double) -> Bool {
    switch self {
    case .rank: true
    case .relativeError(let error, _): error * error > part
    }
  }

  /// Whether triplets are as many as are wanted, or leave no more than the error.
  func isMet(by svd: SVD, energy: Double) -> Bool {
    rank(squares: svd.s.map { Double($0) * Double($0) }, energy: energy) != nil
  }

  /// The rank that meets the goal, given squared singular values in descending order and the sum of
  /// all there are; nil if those given do not tell.
  func rank(squares: [Double], energy: Double) -> Int? {
    if case .relativeError(let error, _) = self {
      let bound = error * error * energy
      var rest = energy
      for (rank, square) in squares.prefix(limit).enumerated() {
        if rest <= bound { return rank }
        rest -= square
      }
      if rest <= bound { return min(squares.count, limit) }
    }
    return squares.count >= limit ? limit : nil
  }
}
