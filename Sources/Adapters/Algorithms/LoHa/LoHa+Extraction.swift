package import LinearAlgebra
import Tensors

extension LoHa: ExtractableAlgorithm {
  package static var needsBase: Bool { false }

  /// Products of elements have no place for M: of it the lengths of its rows count alone, which is how large each input
  /// is, not how inputs go together. The same holds for gradients.
  package static let weighing: OutputWeighing? = OutputWeighing(
    isApproximate: true, needsRoots: false,
    whiten: { change, metric in
      var delta = change.matrix
      delta.scaleColumns(by: metric.inputNorms)
      if let norms = metric.outputNorms { delta.scaleRows(by: norms) }
      return WeightChange(delta.reshaped(change.shape))
    },
    restore: { factors, metric in
      var factors = factors
      guard var right = factors[first.right] else { return factors }
      right.scaleColumns(by: metric.inputNorms.reciprocals)
      factors[first.right] = right
      if let norms = metric.outputNorms {
        factors[first.left]?.scaleRows(by: norms.reciprocals)
      }
      OutputWeighing.balance(first.left, first.right, in: &factors)
      return factors
    })

  /// (w1_a · w1_b) ⊙ (w2_a · w2_b) fitted to the delta by alternating least squares, see
  /// `HadamardFit`; never worse than LoRA of the same rank before rounding, since one of its starts
  /// is that.
  ///
  /// Threshold, ratio and quantile find the rank R that LoRA would need, and the smallest r with
  /// r² ≥ R, which is the highest rank that the product can have. An error bound tries ranks from
  /// there, since a lower one cannot meet it: doubled until one does, then bisected.
  ///
  /// - Throws: `LinearAlgebraError` if the delta is not finite or LAPACK does not converge.
  package static func factorize(
    _ change: WeightChange, policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let matrix = change.matrix
    switch policy {
    case .full:
      return Full.factorize(change, settings)
    case .fixed(let rank):
      return try factorize(change, rank: rank, settings)
    case .threshold, .ratio, .quantile, .norm:
      let rank = rootRank(policy.rank(of: try matrix.singularValues()))
      return try factorize(change, rank: rank, settings)
    case .error(let bound):
      return try factorize(change, within: bound, settings)
    }
  }

  /// A few ranks with the errors of their fits; none where a sample of the change does not
  /// promise less than LoRA leaves with as many bytes.
  package static func options(
    for change: WeightChange, depth: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [ExtractionOption] {
    let limit = min(depth, fewestBytes(change.shape), change.shape.rows, change.shape.columns)
    guard try isPromising(change, settings) else { return [] }
    var options: [ExtractionOption] = []
    // A product of two matrices of rank 1 has rank 1, as LoRA's at half the bytes.
    for rank in [2, 4, 8] where rank <= limit {
      let (fit, _) = try fit(to: change, rank: rank, settings)
      options.append(
        ExtractionOption(
          LoHa.self, .fixed(rank), settings,
          storing: shapes(rank: rank, for: change.shape) + [(alphaSuffix.name, [] as Shape)],
          squaredError: fit.error * change.energy))
    }
    return options
  }

  /// Whether LoHa of rank 4 leaves less than LoRA of rank 8 in a sample of rows and columns, which has
  /// the rank and the structure of the whole in a fraction of its size. Small changes are tried whole.
  private static func isPromising(
    _ change: WeightChange, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Bool {
    let sample = change.sample(rows: 160, columns: 160)
    guard sample.delta.count < change.delta.count, sample.energy > 0 else { return true }
    let rank = min(4, sample.shape.rows, sample.shape.columns)
    let (fit, _) = try fit(to: sample, rank: rank, settings)
    let values = try sample.matrix.singularValues().dropFirst(2 * rank)
    let left = values.reduce(0.0) { $0 + Double($1) * Double($1) }
    return fit.error * sample.energy < left
  }

  // MARK: Ranks

  /// The smallest r with r² ≥ rank.
  private static func rootRank(_ rank: Int) -> Int {
    var root = Int(Double(rank).squareRoot())
    while root * root < rank { root += 1 }
    return root
  }

  /// The highest rank whose factors hold fewer numbers than the delta.
  private static func fewestBytes(_ shape: Shape) -> Int {
    (shape.count - 1) / (2 * (shape.rows + shape.columns))
  }

  private static func factorize(
    _ change: WeightChange, within bound: Double, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let shape = change.shape
    let limit = min(
      settings.allowsFull ? fewestBytes(shape) : .max, shape.rows, shape.columns)
    let needed = try change.matrix.truncatedSVD(
      relativeError: bound, method: settings.method, seed: settings.seed, energy: change.energy)
    let lowest = max(rootRank(needed.rank), 1)
    guard lowest <= limit else {
      return try factorize(change, policy: .full, settings: settings)
    }
    let found = try Factorization.lowestRank(of: lowest...limit, within: bound) {
      rank throws(LinearAlgebraError) in
      try factorize(change, rank: rank, settings)
    }
    // Where no rank will do that takes less, the delta itself is stored.
    guard settings.allowsFull, found.relativeError > bound else { return found }
    return try factorize(change, policy: .full, settings: settings)
  }

  // MARK: One rank

  /// Sweeps at most.
  private static let maximumSweeps = 100
  /// The part of the error that a sweep must remove for another to follow.
  private static let tolerance = 2e-4
  /// From so many numbers on a change is large; there sweeps end where those to come promise to take no
  /// more than the part `promise` of the squared error.
  static let (largeCount, promise) = (1 << 18, 4e-3)

  private static func factorize(
    _ change: WeightChange, rank: Int, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let shape = change.shape
    let rank = min(max(rank, 1), shape.rows, shape.columns)
    guard !settings.allowsFull || rank <= fewestBytes(shape) else {
      return Full.factorize(change, settings)
    }
    let (fit, root) = try fit(to: change, rank: rank, settings)
    let (first, second) = try fit.balanced()
    let tensors = [
      first.left, first.right.transposed(), second.left, second.right.transposed(),
    ]
    // A norm of the delta goes to the four factors in equal parts.
    let part = root.squareRoot()
    return Factorization(
      measuring: zip(shapes(rank: rank, for: shape), tensors).map { suffix, tensor in
        LoRA.stored(suffix.0, EncodedTensor(tensor * part, as: settings.storage), as: suffix.1)
      } + [LoRA.storedAlpha(rank)],
      of: LoHa.self, rank: rank, for: change, iterations: fit.sweeps)
  }

  /// The fit to the delta divided by the square of `root`.
  static func fit(
    to change: WeightChange, rank: Int, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> (HadamardFit, root: Float) {
    let (target, root) = normalized(change)
    var fit = try HadamardFit(
      betterFor: target, energy: target.sumOfSquares, rank: rank, settings: settings)
    if target.count < largeCount {
      fit.run(until: maximumSweeps, tolerance: tolerance)
    } else {
      fit.run(until: maximumSweeps, promising: promise)
    }
    return (fit, root)
  }

  /// The delta as a matrix with elements around 1, whose fourth powers fit single precision, and the
  /// root of what it was divided by.
  private static func normalized(_ change: WeightChange) -> (Tensor, root: Float) {
    let mean = change.energy / Double(max(change.shape.count, 1))
    guard mean > 0, mean.isFinite else { return (change.matrix, 1) }
    let root = mean.squareRoot().squareRoot()
    // In two steps, because the inverse of a subnormal number overflows.
    return ((change.matrix * Float(1 / root)) * Float(1 / root), Float(root))
  }

  private static func shapes(
    rank: Int, for weight: Shape
  ) -> [(suffix: String, shape: Shape)] {
    [first, second].flatMap { side in
      [
        (side.left, [weight.rows, rank] as Shape), (side.right, [rank, weight.columns] as Shape),
      ]
    }
  }
}
