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
  /// directions in the lengths of the base, which leaves what the magnitudes do to them. Where both are
  /// worse than leaving the weight as it is, the change is stored without magnitudes.
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
    let tuned = change.tuned
    let norms = norms(of: tuned, along: axis)
    var direction = Self(magnitude: Self.norms(of: change.base, along: axis), axis: axis)
      .rescale(tuned)
    direction.subtract(change.base)
    // A rounding of the norm moves the whole row: in 16 bits by more than most changes.
    let magnitude = Factorization.Factor(
      suffix: suffix.name, tensor: EncodedTensor(norms, as: .f32))
    var best: Factorization?
    for target in [
      change, WeightChange(direction, base: change.base, metric: change.metric),
    ]
    where target.energy > 0 && target.energy.isFinite {
      let found = try fit(change, target, algorithm, magnitude, policy, plain)
      if best.map({ found.isBetter(than: $0, under: policy) }) ?? true { best = found }
    }
    // Weights next to the number that is added to norms, or without a direction of their own: norms do
    // more harm than good there.
    guard let best, best.squaredError <= change.energy else {
      plain.allowsFull = settings.allowsFull
      return try algorithm.fitted(to: change, policy: policy, settings: plain)
    }
    return best
  }

  /// Factors of one target, measured with the magnitudes; of a higher rank where a bound on the error
  /// of the adapted weight asks for it.
  private static func fit(
    _ change: WeightChange, _ target: WeightChange, _ algorithm: any ExtractableAlgorithm.Type,
    _ magnitude: Factorization.Factor, _ policy: RankPolicy, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let bound: Double? = if case .error(let bound) = policy { bound } else { nil }
    var policy = policy
    let highest = min(target.shape.rows, target.shape.columns)
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

  /// ‖row‖ as `[out, 1…]`, or the norm of every input channel as `[1, in, 1…]`.
  private static func norms(of weight: Tensor, along axis: Axis) -> Tensor {
    let shape = weight.shape
    let ones = shape.kernel.map { _ in 1 }
    switch axis {
    case .outputs: return weight.rowNorms().reshaped(Shape([shape.rows, 1] + ones))
    case .inputs:
      return weight.inputsFirst().rowNorms()
        .reshaped(Shape([1, shape.inputs] + ones))
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
