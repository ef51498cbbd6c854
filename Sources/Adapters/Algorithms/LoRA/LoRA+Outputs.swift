import LinearAlgebra
import Tensors

/// Factors that make the error of outputs small, from moments alone.
extension LoRA {
  /// The truncated SVD of Nᵀ·Δ·M brought back, without M and N: see `Tensor.weighedTruncation`. nil where that does not find
  /// it, and for policies that look at all singular values.
  static func weighedFactorization(
    of change: WeightChange, policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization? {
    guard let found = try weighedTruncation(of: change, policy, settings) else { return nil }
    let shape = change.shape
    let rank = found.s.count
    let bytes = rank * (shape.rows + shape.columns)
    guard !settings.allowsFull || bytes < shape.count else {
      return Full.factorize(change, settings)
    }
    var factors = [up: found.left, down: found.right]
    OutputWeighing.balance(up, down, in: &factors)
    guard let left = factors[up], let right = factors[down] else { return nil }
    let outer = EncodedTensor(left, as: settings.storage)
    let inner = EncodedTensor(right, as: settings.storage)
    let errors = squaredErrors(of: outer.decoded(), inner.decoded(), for: change)
    var result = Factorization(
      algorithm: name,
      factors: [
        stored(up, outer, as: upShape(rank: rank, for: shape)),
        stored(down, inner, as: Shape([rank] + shape.dimensions.dropFirst())),
        storedAlpha(rank),
      ], rank: rank, energy: change.energy, squaredError: errors.outputs)
    result.weights = .init(energy: change.weightEnergy, squaredError: errors.weights)
    result.leading = found.s
    return result
  }

  /// One for every rank up to `depth`; nil where these are not found from moments alone.
  static func weighedOptions(
    for change: WeightChange, depth: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [ExtractionOption]? {
    guard let found = try weighedTruncation(of: change, .fixed(depth), settings) else { return nil }
    return options(
      of: found.s.prefix(depth), shape: change.shape, energy: change.energy, settings: settings)
  }

  private static func weighedTruncation(
    of change: WeightChange, _ policy: RankPolicy, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> WeighedTruncation? {
    guard !settings.tucker, let metric = change.metric, metric.isSeen else { return nil }
    let means = metric.means
    let scale = means.inputs * means.outputs
    guard scale > 0, scale.isFinite else { return nil }
    // Relative to means, so that no gradient is too small; what the ridge adds is that of inputs that go together with
    // nothing.
    let energy =
      change.energy / (scale * metric.moments.places) + LayerMetric.ridge * change.weightEnergy
    let columns = { (rows: Tensor) in
      metric.inputProducts(of: rows, ridge: LayerMetric.ridge) * Float(1 / means.inputs)
    }
    let rows = { (rows: Tensor) in
      (metric.outputProducts(of: rows, ridge: LayerMetric.ridge) ?? rows)
        * Float(1 / means.outputs)
    }
    let measured = metric.moments.gradients == nil ? nil : rows
    let found: WeighedTruncation?
    switch policy {
    case .fixed(let rank):
      found = try change.matrix.weighedTruncation(
        rank: min(max(rank, 1), settings.maximumRank.map { max($0, 1) } ?? .max),
        method: settings.method, seed: settings.seed, energy: energy, columns: columns,
        rows: measured)
    case .error(let bound):
      found = try change.matrix.weighedTruncation(
        relativeError: bound, maximumRank: settings.maximumRank, method: settings.method,
        seed: settings.seed, energy: energy, columns: columns, rows: measured)
    case .full, .threshold, .ratio, .quantile, .norm: return nil
    }
    let length = Float((scale * metric.moments.places).squareRoot())
    return found.map {
      WeighedTruncation(left: $0.left, right: $0.right, s: $0.s.map { $0 * length })
    }
  }

  /// Below this share of the change the difference of large numbers would lose too many digits: the rest is formed.
  private static let formedBelow = 4e-3

  /// E‖(Δ − up·down)·x‖² and ‖Δ − up·down‖² without the product, for up `[out, r]` and down `[r, n]`.
  /// - Complexity: O(r·(out·n + n² + out²))
  private static func squaredErrors(
    of up: Tensor, _ down: Tensor, for change: WeightChange
  ) -> (outputs: Double, weights: Double) {
    guard let metric = change.metric else { preconditionFailure("a change without a metric") }
    let rank = down.shape.rows
    let images = metric.inputProducts(of: down, ridge: 0)
    let products = change.matrix.applied(toRows: .stacked([down, images]))
    let rows = up.transposed()
    let turned = metric.outputProducts(of: rows, ridge: 0) ?? rows
    // ‖Δ‖² − 2⟨Δ, up·down⟩ + ‖up·down‖², both times.
    let weights =
      change.weightEnergy - 2 * rows.dot(products.rows(0..<rank))
      + rows.matmulTransposed(rows).dot(down.matmulTransposed(down))
    let outputs =
      change.energy + metric.moments.places
      * (turned.matmulTransposed(rows).dot(images.matmulTransposed(down))
        - 2 * turned.dot(products.rows(rank..<2 * rank)))
    guard
      min(weights / change.weightEnergy, outputs / max(change.energy, .leastNonzeroMagnitude))
        < formedBelow
    else { return (outputs, weights) }
    let rest = change.matrix.adding(product: up, down, times: -1)
    return (metric.energy(of: rest.reshaped(change.shape)), rest.sumOfSquares)
  }
}
