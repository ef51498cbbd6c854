package import LinearAlgebra
import Tensors

extension WeightDecomposition<Tensor> {
  /// Whether an algorithm's change can be stored with magnitudes apart.
  package static func wraps(_ algorithm: any AdapterAlgorithm.Type) -> Bool {
    algorithm.suffixes.contains { $0.name == suffix.name }
  }

  /// Factors for the direction and, as magnitudes, the norms of the tuned weight, so that at full
  /// rank the adapted weight is the tuned one.
  ///
  /// Any multiple of a tuned row has its direction. Two targets are tried and the better result is
  /// kept: the change as it is, which suits changes of low rank, and the change to rows of the tuned
  /// directions in the lengths of the base, which leaves what the magnitudes do to them. For a large
  /// weight and a fixed rank a sample tells which of them. Where both are worse than leaving the weight as
  /// it is, the change is stored without magnitudes.
  /// - Precondition: the change has its base, and `wraps(algorithm)`.
  /// - Throws: `LinearAlgebraError`
  package static func factorize(
    _ change: WeightChange, with algorithm: any ExtractableAlgorithm.Type, along axis: Axis,
    policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    var plain = settings
    plain.magnitudes = nil
    // What is stored whole needs no magnitudes, and has no place for them.
    plain.allowsFull = false
    let (best, _) = try better(change, algorithm, axis, policy, plain)
    // Weights next to the number that is added to norms, or without a direction of their own: norms do
    // more harm than good there.
    guard let best, best.squaredError <= change.energy else {
      plain.allowsFull = settings.allowsFull
      return try algorithm.fitted(to: change, policy: policy, settings: plain)
    }
    return best
  }

  /// What the factors are fitted to.
  private enum Target {
    /// The change as it is.
    case change
    /// That of the directions, in the lengths of the base.
    case direction
  }

  /// Rows and columns of a sample.
  private static var sampleExtent: Int { 512 }

  /// The better result of both targets, and which one that is; nil where neither can be fitted to.
  private static func better(
    _ change: WeightChange, _ algorithm: any ExtractableAlgorithm.Type, _ axis: Axis,
    _ policy: RankPolicy, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> (Factorization?, Target) {
    // A rounding of the norm moves the whole row: in 16 bits by more than most changes.
    let magnitude = Factorization.Factor(
      suffix: suffix.name, tensor: EncodedTensor(lengths(of: change.tuned, along: axis), as: .f32))
    var best: (found: Factorization?, target: Target) = (nil, .change)
    for target in try targets(change, algorithm, axis, policy, settings) {
      let goal =
        switch target {
        case .change: change
        case .direction: Self.direction(of: change, along: axis)
        }
      guard goal.energy > 0, goal.energy.isFinite else { continue }
      let found = try fit(change, goal, algorithm, magnitude, policy, settings)
      if best.found.map({ found.isBetter(than: $0, under: policy) }) ?? true {
        best = (found, target)
      }
    }
    return best
  }

  /// The targets to try.
  private static func targets(
    _ change: WeightChange, _ algorithm: any ExtractableAlgorithm.Type, _ axis: Axis,
    _ policy: RankPolicy, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [Target] {
    guard case .fixed = policy, change.metric == nil else { return [.change, .direction] }
    let sample = change.sample(rows: sampleExtent, columns: sampleExtent)
    guard 2 * sample.shape.count <= change.shape.count, sample.energy > 0 else {
      return [.change, .direction]
    }
    return [try better(sample, algorithm, axis, policy, settings).1]
  }

  /// The change to the tuned directions in the lengths of the base.
  private static func direction(of change: WeightChange, along axis: Axis) -> WeightChange {
    let base = change.base
    var direction = Self(magnitude: lengths(of: base, along: axis), axis: axis)
      .rescale(change.tuned)
    direction.subtract(base)
    return WeightChange(direction, base: base, metric: change.metric)
  }

  /// Factors of one target, measured with the magnitudes; of a higher rank where a bound on the error
  /// of the adapted weight asks for it.
  private static func fit(
    _ change: WeightChange, _ target: WeightChange, _ algorithm: any ExtractableAlgorithm.Type,
    _ magnitude: Factorization.Factor, _ policy: RankPolicy, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let bound: Double? = if case .error(let bound) = policy { bound } else { nil }
    var policy = policy
    let highest = min(target.shape.rows, target.shape.columns, settings.maximumRank ?? .max)
    while true {
      let fitted = try algorithm.fitted(to: target, policy: policy, settings: settings)
      let found = Factorization(
        measuring: fitted.factors + [magnitude], of: algorithm, rank: fitted.rank, for: change,
        iterations: fitted.iterations, detail: fitted.detail)
      guard let bound, found.relativeError > bound, let rank = fitted.rank, rank < highest else {
        return found
      }
      policy = .fixed(rank + max(rank / 8, 1))
    }
  }
}

extension Factorization {
  /// Whether this is the one to keep: within a bound on the error the smaller one, else the one with
  /// less error.
  package func isBetter(than other: Factorization, under policy: RankPolicy) -> Bool {
    if case .error(let bound) = policy, relativeError <= bound, other.relativeError <= bound {
      return (byteCount, squaredError) < (other.byteCount, other.squaredError)
    }
    return squaredError < other.squaredError
  }
}
