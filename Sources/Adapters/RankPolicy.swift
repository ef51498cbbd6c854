/// How the rank of a module is chosen from the singular values σ₁ ≥ σ₂ ≥ … of its delta.
///
/// The first five are LyCORIS' modes (`utils/__init__.py`, `extract_linear`), whose results they
/// equal but for the quantile, which upstream takes one rank too short.
package enum RankPolicy: Equatable, Sendable {
  /// The delta itself, no factors.
  case full
  /// The same rank everywhere, at least 1.
  case fixed(Int)
  /// As many as there are σᵢ > threshold.
  case threshold(Double)
  /// As many as there are σᵢ > ratio · σ₁, ratio in [0, 1].
  case ratio(Double)
  /// The fewest whose sum reaches the share `quantile` of Σ σᵢ, in [0, 1].
  case quantile(Double)
  /// The fewest whose root of squares reaches the share `norm` of ‖Δ‖ in the Frobenius norm, in [0, 1]:
  /// what `sv_fro` means in sd-scripts `networks/resize_lora.py`.
  case norm(Double)
  /// The fewest that leave ‖Δ − Δᵣ‖ ≤ error · ‖Δ‖ in the Frobenius norm, in (0, 1).
  case error(Double)

  /// The rank for a whole spectrum, descending; between 1 and the number of singular values.
  /// - Precondition: the policy chooses by the spectrum, so it is neither `full` nor `fixed`.
  package func rank(of spectrum: [Float]) -> Int {
    let rank: Int
    switch self {
    case .full: rank = spectrum.count
    case .fixed(let wanted): rank = wanted
    case .threshold(let limit): rank = spectrum.count { Double($0) > limit }
    case .ratio(let ratio):
      let limit = ratio * Double(spectrum.first ?? 0)
      rank = spectrum.count { Double($0) > limit }
    case .quantile(let share):
      rank = Self.fewest(of: spectrum.map(Double.init), reaching: share)
    case .norm(let share):
      rank = Self.fewest(of: spectrum.map { Double($0) * Double($0) }, reaching: share * share)
    case .error(let error):
      rank = Self.fewest(
        of: spectrum.map { Double($0) * Double($0) }, reaching: 1 - error * error)
    }
    return min(max(rank, 1), max(spectrum.count, 1))
  }

  /// How many leading terms sum to at least `share` of them all.
  private static func fewest(of terms: [Double], reaching share: Double) -> Int {
    let goal = share * terms.reduce(0, +)
    var sum = 0.0
    return 1
      + (terms.firstIndex {
        sum += $0
        return sum >= goal
      } ?? terms.count - 1)
  }
}
