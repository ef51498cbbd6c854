package import LinearAlgebra
import Tensors

extension GLoRA: ExtractableAlgorithm {
  package static var needsBase: Bool { true }

  /// b2 and a2 end at the inputs, and W is read through a2: of it the places of the kernel alone are multiplied.
  package static let weighing: OutputWeighing? = OutputWeighing(
    needsProduct: true,
    whiten: { change, metric in
      WeightChange(
        change.measured, base: metric.whitenedOutputs(metric.whitenedKernel(change.base)))
    },
    restore: { factors, metric in
      var factors = factors
      factors[b2] = factors[b2].map { metric.restoredInputs($0) }
      factors[b1] = factors[b1].map { metric.restoredOutputs($0) }
      factors[a2] = factors[a2].map { metric.restoredChannels($0) }
      OutputWeighing.balance(b1, b2, in: &factors)
      OutputWeighing.balance(a1, a2, in: &factors)
      return factors
    })

  /// b1 · b2 + W · a1 · a2 fitted to the delta by alternating regressions, see `GLoRAFit`, stored in
  /// the layout of LyCORIS 2; never worse than LoRA of the same rank before rounding, since one of its
  /// starts is that.
  ///
  /// Both parts have the rank, so threshold, ratio and quantile take half of the rank R that LoRA
  /// would need, rounded up. An error bound tries ranks from there for a linear layer, where fewer
  /// cannot do, and from 1 for a convolution: doubled until one does, then bisected.
  ///
  /// - Precondition: the change has its base.
  /// - Throws: `LinearAlgebraError` if delta or base are not finite or LAPACK does not converge.
  package static func factorize(
    _ change: WeightChange, policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    guard policy != .full else { return Full.factorize(change, settings) }
    let shape = change.shape
    let capacity = settings.allowsFull ? mostRanks(shape) : .max
    let limit = min(capacity, shape.rows, shape.columns)
    guard case .error(let bound) = policy else {
      let rank: Int
      if case .fixed(let wanted) = policy {
        rank = max(wanted, 1)
      } else {
        rank = (policy.rank(of: try change.matrix.singularValues()) + 1) / 2
      }
      guard rank <= capacity else { return Full.factorize(change, settings) }
      let problem = try GLoRAFit.Problem(change, settings: settings)
      return try factorize(change, problem, rank: min(rank, limit))
    }
    let needed = try change.matrix.truncatedSVD(
      relativeError: bound, method: settings.method, seed: settings.seed, energy: change.energy
    ).rank
    let lowest = shape.kernel.allSatisfy { $0 == 1 } ? max((needed + 1) / 2, 1) : 1
    guard lowest <= limit else { return Full.factorize(change, settings) }
    let problem = try GLoRAFit.Problem(change, settings: settings)
    let found = try Factorization.lowestRank(of: lowest...limit, within: bound) {
      rank throws(LinearAlgebraError) in
      try factorize(change, problem, rank: rank)
    }
    return settings.allowsFull && found.relativeError > bound
      ? Full.factorize(change, settings) : found
  }

  /// A few ranks with the error that a few sweeps leave; none where LoRA is never worse, and none for
  /// large weights, where finding out takes longer than it is likely to be worth.
  ///
  /// The change of a linear layer has rank 2r at most, so that LoRA of as many bytes beats it unless
  /// there are more outputs than inputs.
  package static func options(
    for change: WeightChange, depth: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [ExtractionOption] {
    let limit = min(depth, mostRanks(change.shape), change.shape.rows, change.shape.columns)
    let isLinear = change.shape.inputs == change.shape.columns
    guard limit > 0, change.delta.count <= largeCount,
      !isLinear || change.shape.rows > change.shape.inputs
    else { return [] }
    let problem = try GLoRAFit.Problem(change, settings: settings)
    var options: [ExtractionOption] = []
    for rank in [1, 2, 4, 8, 16] where rank <= limit {
      var fit = try GLoRAFit(plainFor: problem, rank: rank)
      try fit.run(until: trial, tolerance: 0)
      options.append(
        ExtractionOption(
          GLoRA.self, .fixed(rank), settings,
          storing: shapes(rank: rank, for: change.shape) + [(alphaSuffix.name, [] as Shape)],
          squaredError: fit.error * problem.energy))
    }
    return options
  }

  /// The highest rank whose factors hold fewer numbers than the delta.
  private static func mostRanks(_ shape: Shape) -> Int {
    (shape.count - 1) / (shape.rows + shape.columns + 2 * shape.inputs)
  }

  // MARK: One rank

  /// Sweeps by which starts are compared.
  private static let trial = 3
  private static let maximumSweeps = 50
  /// The part of the squared error that sweeps to come must promise to remove for another to follow, and that of a
  /// large weight.
  private static let (tolerance, largeTolerance) = (3e-4, 6e-3)
  /// Numbers of a large weight. There starts are rough, and compared as they are, and options are not worth
  /// finding.
  static let largeCount = 1 << 20

  /// The better of both starts, followed to its end.
  static func fit(
    _ problem: GLoRAFit.Problem, rank: Int
  ) throws(LinearAlgebraError) -> GLoRAFit {
    let isLarge = problem.target.count > largeCount
    let trial = isLarge ? 0 : trial
    var fit = try GLoRAFit(plainFor: problem, rank: rank)
    try fit.run(until: trial, tolerance: 0)
    var other = try GLoRAFit(regressionFor: problem, rank: rank)
    try other.run(until: trial, tolerance: 0)
    if other.error < fit.error { fit = other }
    try fit.run(until: maximumSweeps, tolerance: isLarge ? largeTolerance : tolerance)
    return fit
  }

  private static func factorize(
    _ change: WeightChange, _ problem: GLoRAFit.Problem, rank: Int
  ) throws(LinearAlgebraError) -> Factorization {
    let (shape, storage) = (change.shape, problem.settings.storage)
    let fit = try fit(problem, rank: rank)
    let (left, right) = fit.regression()
    let (a1, a2) = (EncodedTensor(left, as: storage), EncodedTensor(right, as: storage))
    let (b1, b2) = try fit.complement(of: a1.decoded(), a2.decoded()).balancedFactors
    // Back to channels before kernel.
    let down = b2.reshaped([rank, shape.kernel.reduce(1, *), shape.inputs]).swappedLastAxes()
    let tensors = [a1, a2, EncodedTensor(b1, as: storage), EncodedTensor(down, as: storage)]
    return Factorization(
      measuring: zip(shapes(rank: rank, for: shape), tensors).map { entry, tensor in
        LoRA.stored(entry.suffix, tensor, as: entry.shape)
      } + [LoRA.storedAlpha(rank)],
      of: GLoRA.self, rank: rank, for: change, iterations: fit.sweeps)
  }

  private static func shapes(
    rank: Int, for weight: Shape
  ) -> [(suffix: String, shape: Shape)] {
    let ones = weight.kernel.map { _ in 1 }
    return [
      (a1, Shape([weight.inputs, rank] + ones)), (a2, Shape([rank, weight.inputs] + ones)),
      (b1, Shape([weight.rows, rank] + ones)),
      (b2, Shape([rank] + weight.dimensions.dropFirst())),
    ]
  }
}
