import LinearAlgebra

extension Factorization {
  /// The factorization of the lowest rank in `ranks` that meets a bound of the relative error, found
  /// by doubling and bisection as if the error fell with every rank; that of the highest rank, where
  /// none does.
  /// - Precondition: there are ranks, all of them positive.
  /// - Throws: what `factorize` does.
  static func lowestRank(
    of ranks: ClosedRange<Int>, within bound: Double,
    _ factorize: (Int) throws(LinearAlgebraError) -> Factorization
  ) throws(LinearAlgebraError) -> Factorization {
    var tooLow = ranks.lowerBound - 1
    var rank = ranks.lowerBound
    var found = try factorize(rank)
    while found.relativeError > bound {
      guard rank < ranks.upperBound else { return found }
      tooLow = rank
      rank = min(2 * rank, ranks.upperBound)
      found = try factorize(rank)
    }
    while rank - tooLow > 1 {
      let middle = (rank + tooLow) / 2
      let candidate = try factorize(middle)
      if candidate.relativeError <= bound {
        (rank, found) = (middle, candidate)
      } else {
        tooLow = middle
      }
    }
    return found
  }
}
