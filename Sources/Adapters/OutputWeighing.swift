import LinearAlgebra
import Tensors

/// How an algorithm that makes the error of weights small makes that of outputs small: it is given weights that were
/// multiplied by the metric, and what it finds is brought back.
package struct OutputWeighing: Sendable {
  /// The change that is factorized in the place of one with a metric, which itself has none.
  let whiten: @Sendable (WeightChange, LayerMetric) -> WeightChange
  /// Its factors, by suffix, as those of the change; nil where they are the same.
  let restore: (@Sendable ([String: Tensor], LayerMetric) -> [String: Tensor])?
  /// Whether only a part of the metric has a place in it, so that what knows nothing of outputs may be nearer.
  let isApproximate: Bool
  /// Whether channels and kernel have factors of their own, so that a moment must be a product.
  package let needsProduct: Bool

  /// Whether it is brought there by M and N, see `LayerMetric.rooted()`.
  let needsRoots: Bool
  /// What finds factors, and options, without them; nil where nothing does, and results are nil where it did not.
  let direct: Direct?

  struct Direct: Sendable {
    let factorize:
      @Sendable (WeightChange, RankPolicy, FactorizationSettings) throws(LinearAlgebraError)
        -> Factorization?
    /// At ranks up to a depth.
    let options:
      @Sendable (WeightChange, Int, FactorizationSettings) throws(LinearAlgebraError)
        -> [ExtractionOption]?
  }

  init(
    needsProduct: Bool = false, isApproximate: Bool = false, needsRoots: Bool = true,
    direct: Direct? = nil,
    whiten: @escaping @Sendable (WeightChange, LayerMetric) -> WeightChange,
    restore: (@Sendable ([String: Tensor], LayerMetric) -> [String: Tensor])?
  ) {
    self.needsProduct = needsProduct
    self.isApproximate = isApproximate
    self.needsRoots = needsRoots
    self.direct = direct
    self.whiten = whiten
    self.restore = restore
  }

  /// The change with what `whiten` needs; its metric is that of the result.
  func prepared(_ change: WeightChange) throws(LinearAlgebraError) -> WeightChange {
    needsRoots ? try change.rooted() : change
  }

  /// nil for a change without a metric.
  func whitened(_ change: WeightChange) throws(LinearAlgebraError) -> WeightChange? {
    let change = try prepared(change)
    return change.metric.map { whiten(change, $0) }
  }

  /// Factors that turn outputs: base and change are multiplied from the side of the inputs, and what turns the outputs
  /// of the one turns those of the other. How much each output counts has no place there.
  static let ofRotations = OutputWeighing(
    whiten: { change, metric in
      WeightChange(
        metric.whitenedInputs(change.delta), base: metric.whitenedInputs(change.base))
    }, restore: nil)
}

extension ExtractableAlgorithm {
  /// Factors of a change, those that make the error of its outputs small where it has a metric.
  /// - Precondition: `weighing`, for a change with a metric.
  /// - Throws: as `factorize`.
  static func fitted(
    to change: WeightChange, policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    guard change.metric != nil, policy != .full else {
      return try factorize(change, policy: policy, settings: settings)
    }
    guard let weighing else { preconditionFailure("\(name) knows no inputs") }
    let bound: Double? = if case .error(let bound) = policy { bound } else { nil }
    let highest = min(change.shape.rows, change.shape.columns, settings.maximumRank ?? .max)
    var policy = policy
    while true {
      let direct = try weighing.direct?.factorize(change, policy, settings)
      let found =
        if let direct { direct } else {
          try whitened(change, weighing, policy: policy, settings: settings)
        }
      // Rounding may lift an error that was just below the bound above it.
      guard let bound, found.relativeError > bound, let rank = found.rank, rank < highest else {
        return found
      }
      policy = .fixed(rank + max(rank / 8, 1))
    }
  }

  /// By the whitened change.
  private static func whitened(
    _ change: WeightChange, _ weighing: OutputWeighing, policy: RankPolicy,
    settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let change = try weighing.prepared(change)
    // Of a change of which no input has anything to see, all factors are as good.
    guard let metric = change.metric, let whitened = try weighing.whitened(change),
      whitened.energy > 0
    else { return Full.factorize(change, settings) }
    var inner = settings
    // What is brought back is rounded then.
    if weighing.restore != nil { inner.storage = .f32 }
    let fitted = try factorize(whitened, policy: policy, settings: inner)
    guard fitted.algorithm == name else { return Full.factorize(change, settings) }
    var found = Factorization(
      measuring: weighing.restored(fitted.factors, metric, as: settings.storage), of: self,
      rank: fitted.rank, for: change, iterations: fitted.iterations, detail: fitted.detail)
    found.leading = fitted.leading
    if weighing.isApproximate {
      let plain = try factorize(
        change.unweighed, policy: fitted.rank.map { .fixed($0) } ?? policy, settings: settings
      ).measured(for: change)
      if plain.isBetter(than: found, under: policy) { found = plain }
    }
    return found
  }
}

extension OutputWeighing {
  /// Factors as they are stored.
  fileprivate func restored(
    _ factors: [Factorization.Factor], _ metric: LayerMetric, as storage: DType
  ) -> [Factorization.Factor] {
    guard let restore else { return factors }
    let tensors = restore(
      Dictionary(factors.map { ($0.suffix, $0.tensor.decoded()) }, uniquingKeysWith: { $1 }), metric
    )
    return factors.map { factor in
      guard factor.suffix != alphaSuffix.name, let tensor = tensors[factor.suffix] else {
        return factor
      }
      return .init(suffix: factor.suffix, tensor: EncodedTensor(tensor, as: storage))
    }
  }

  /// Moves the norms of the rows of one factor `[r, …]` into the columns of the other `[m, r, …]`, so that no number
  /// of either leaves the range of 16 bits.
  static func balance(
    _ left: String, _ right: String, in factors: inout [String: Tensor]
  ) {
    guard var rows = factors[right], let columns = factors[left] else { return }
    let norms = rows.rowNorms().elements
    rows.scaleRows(by: norms.reciprocals)
    var matrix = columns.reshaped(columns.shape.asMatrix)
    matrix.scaleColumns(by: norms)
    factors[right] = rows
    factors[left] = matrix.reshaped(columns.shape)
  }
}

extension Factorization {
  /// The same with its error measured for a change with a metric.
  package func measured(for change: WeightChange) -> Factorization {
    guard let algorithm = Adapters.algorithm(named: algorithm) else {
      preconditionFailure("no algorithm '\(algorithm)'")
    }
    return Factorization(
      measuring: factors, of: algorithm, rank: rank, for: change, iterations: iterations,
      detail: detail)
  }

  /// The same, without an error where outputs are not known.
  package var ofOutputsAlone: Factorization {
    weights != nil
      ? self
      : Factorization(
        algorithm: algorithm, factors: factors, rank: rank, energy: 0, squaredError: 0)
  }
}
