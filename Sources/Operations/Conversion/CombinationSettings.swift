package import Checkpoints
package import LinearAlgebra

/// How several adapters become one.
package struct CombinationSettings: Sendable {
  /// How changes of the same weight are joined.
  package enum Method: String, CaseIterable, Sendable {
    /// Factors side by side: exact, at the sum of the ranks.
    case concat
    /// The nearest of a lower rank.
    case svd
    /// The largest entries of each, of which those count that have the sign of the majority
    /// (Yadav et al. 2023, arXiv 2306.01708).
    case ties
    /// The same with random entries in place of the largest.
    case dareTies = "dare_ties"
    /// Random entries of each, scaled up for those left out (Yu et al. 2023, arXiv 2311.03099).
    case dareLinear = "dare_linear"
    /// The largest entries of each, added.
    case magnitudePrune = "magnitude_prune"
    /// Later changes without what they have in common with the earlier ones.
    case orthogonal

    /// Whether the entries of the changes multiplied out are picked.
    package var picksEntries: Bool {
      switch self {
      case .ties, .dareTies, .dareLinear, .magnitudePrune: true
      case .concat, .svd, .orthogonal: false
      }
    }
  }

  /// What the sign of a majority counts.
  package enum MajoritySign: String, CaseIterable, Sendable {
    /// The sum of the entries.
    case total
    /// The entries themselves, whatever their size.
    case frequency
  }

  package var method: Method
  /// Share of the entries that is kept by methods that pick some, in (0, 1].
  package var density = 1.0
  package var majoritySign = MajoritySign.total
  /// How changes multiplied out are decomposed.
  package var svd = SVDMethod.auto
  /// Chooses random entries, and the sketch of a randomized SVD.
  package var seed: UInt64 = 0
  /// The highest rank of the result, of linear layers and of convolutions with a kernel; nil for the
  /// largest among those that are combined, with `concat` and `orthogonal` for all there is.
  package var linearRank: Int?
  package var convolutionRank: Int?
  /// Further factors by block, one for each adapter; empty for none.
  package var blockWeights: [BlockWeights] = []
  /// The checkpoint that the adapters are for, where an algorithm depends on its weights.
  package var base: BaseModel?

  package init(method: Method = .concat) { self.method = method }
}
