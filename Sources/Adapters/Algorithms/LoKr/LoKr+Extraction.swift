package import LinearAlgebra
package import Tensors

extension LoKr: ExtractableAlgorithm {
  package static var needsBase: Bool { false }

  /// Layout and rank are chosen as ever, and then the sides refined for the outputs, see `KroneckerRefinement`.
  package static let weighing: OutputWeighing? = OutputWeighing(
    needsProduct: true, needsRoots: false, whiten: { change, _ in change }, restore: nil)

  /// The nearest Kronecker product found, see `KroneckerFit`, with w2 (and w1 if
  /// `settings.decomposesBoth`) as a product of the rank that the policy chooses by the singular
  /// values of w2 beside a w1 of unit norm.
  ///
  /// Without `settings.factor` every layout is tried: that which takes away most squared error for a
  /// byte is kept, or with an error bound that of the smallest file (of the least error, where none
  /// keeps the bound). The rank is nil where both sides are whole, and alpha, which means nothing
  /// there, 1. A core or a sparse residual is never stored.
  /// - Complexity: O(out·in·kernel) for a layout and step of refinement, and a truncated SVD of w2.
  package static func factorize(
    _ change: WeightChange, policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    if policy == .full { return Full.factorize(change, settings) }
    let found: Factorization
    if case .error(let bound) = policy {
      found = try smallest(change, keeping: bound, settings)
    } else {
      let (factor, fit) = try mostEfficientFit(change.unweighed, policy, settings)
      let rank = try rank(policy, of: fit)
      found = try stored(try fit.nearest(fit.form(at: rank)), change, factor, settings)
    }
    // Only a weight that cannot be divided takes as many numbers as its change.
    return settings.allowsFull && found.byteCount >= settings.byteCount(of: change.shape.count)
      ? Full.factorize(change, settings) : found
  }

  /// For every layout one form for each rank of w2 up to `depth`, and the one with both sides whole.
  package static func options(
    for change: WeightChange, depth: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [ExtractionOption] {
    guard change.metric == nil else {
      return try weighedOptions(for: change, depth: depth, settings: settings)
    }
    var options: [ExtractionOption] = []
    for (factor, layout) in layouts(for: change.shape, settings) {
      let fit = try KroneckerFit(change, layout, settings)
      var own = settings
      own.factor = factor
      func add(_ form: KroneckerForm, _ rank: Int, keeping kept: Double) {
        options.append(
          ExtractionOption(
            LoKr.self, .fixed(rank), own,
            storing: form.tensors + [(suffix: alphaSuffix.name, shape: Shape([]))],
            squaredError: max(change.energy - kept, 0)))
      }
      let ranks = (1..<max(depth, 1) + 1).prefix { fit.form(at: $0).innerRank != nil }
      let spectrum = try fit.leadingInner.truncatedSVD(
        rank: ranks.count, method: settings.method, seed: settings.seed
      ).s
      var kept = 0.0
      for rank in ranks {
        kept += Double(spectrum[rank - 1]) * Double(spectrum[rank - 1])
        let form = fit.form(at: rank)
        add(
          form, rank,
          keeping: form.outerRank == nil ? kept : try fit.leadingProduct(form).kept)
      }
      let whole = try fit.leadingProduct(fit.form(at: nil))
      add(whole.form, change.shape.dimensions.reduce(1, max), keeping: whole.kept)
    }
    return options
  }

  /// A few ranks of every layout and both sides whole, with errors of outputs.
  private static func weighedOptions(
    for change: WeightChange, depth: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [ExtractionOption] {
    var options: [ExtractionOption] = []
    for (factor, layout) in layouts(for: change.shape, settings) {
      let fit = try KroneckerFit(change.unweighed, layout, settings)
      var own = settings
      own.factor = factor
      let whole = change.shape.dimensions.reduce(1, max)
      for rank in [1, 2, 4, 8, 16, 32].filter({ $0 <= depth }) + [whole] {
        let form = fit.form(at: rank == whole ? nil : rank)
        guard rank == whole || form.innerRank != nil else { continue }
        let found = try stored(try fit.leadingProduct(form), change, factor, settings)
        options.append(
          ExtractionOption(
            LoKr.self, .fixed(rank), own,
            storing: form.tensors + [(suffix: alphaSuffix.name, shape: Shape([]))],
            squaredError: found.squaredError))
      }
    }
    return options
  }

  package static func sampledShare(
    of change: WeightChange, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Double {
    var share = 0.0
    for (_, layout) in layouts(for: change.shape, settings) {
      share = max(share, try KroneckerFit.sampledShare(of: change, layout, settings))
    }
    return share
  }

  // MARK: Layouts and ranks

  /// The layout that the settings fix, or all.
  package static func layouts(
    for weight: Shape, _ settings: FactorizationSettings
  ) -> [(factor: Int, layout: KroneckerLayout)] {
    guard let factor = settings.factor else {
      return KroneckerLayout.all(for: weight, isUnbalanced: settings.isUnbalanced)
    }
    return [
      (
        factor,
        KroneckerLayout(for: weight, factor: factor, isUnbalanced: settings.isUnbalanced)
      )
    ]
  }

  /// - Precondition: the policy is neither `full` nor `error`.
  private static func rank(
    _ policy: RankPolicy, of fit: KroneckerFit
  ) throws(LinearAlgebraError) -> Int {
    if case .fixed(let rank) = policy { return max(rank, 1) }
    return policy.rank(of: try fit.leadingInner.singularValues())
  }

  /// The layout whose leading product takes away most squared error for a byte.
  ///
  /// Of a large change a sample tells which layouts are promising; the others are left out.
  private static func mostEfficientFit(
    _ change: WeightChange, _ policy: RankPolicy, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> (factor: Int, fit: KroneckerFit) {
    let layouts = layouts(for: change.shape, settings)
    var bounds = [Double](repeating: .infinity, count: layouts.count)
    if layouts.count > 1, change.shape.count >= sampledCount, case .fixed(let rank) = policy {
      for (index, entry) in layouts.enumerated() {
        let form = KroneckerForm(
          change.shape, entry.layout, rank: max(rank, 1), decomposesBoth: settings.decomposesBoth)
        let share = try KroneckerFit.sampledShare(of: change, entry.layout, settings)
        bounds[index] =
          samplingDoubt * share * change.energy / Double(settings.byteCount(of: form.count))
      }
    }
    var best: (index: Int, fit: KroneckerFit, gain: Double)?
    for index in layouts.indices.sorted(by: { (bounds[$1], $0) < (bounds[$0], $1) }) {
      if let best, bounds[index] < best.gain { break }
      let fit = try KroneckerFit(change, layouts[index].layout, settings)
      guard layouts.count > 1 else { return (layouts[index].factor, fit) }
      let gain = try efficiency(of: fit, policy, settings)
      if best.map({ (gain, $0.index) > ($0.gain, index) }) ?? true { best = (index, fit, gain) }
    }
    guard let best else { preconditionFailure("no layout for \(change.shape)") }
    return (layouts[best.index].factor, best.fit)
  }

  /// From so many numbers on layouts are chosen by a sample.
  private static let sampledCount = 1 << 18
  /// What a share that a sample tells is multiplied by before a layout is left out.
  private static let samplingDoubt = 1.25

  private static func efficiency(
    of fit: KroneckerFit, _ policy: RankPolicy, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Double {
    let form = fit.form(at: try rank(policy, of: fit))
    return try fit.leadingProduct(form).kept / Double(settings.byteCount(of: form.count))
  }

  // MARK: Storing

  /// A product as it will be stored, its error measured; refined where inputs are known.
  static func stored(
    _ product: KroneckerProduct, _ change: WeightChange, _ factor: Int,
    _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    var product = product
    if let metric = change.metric {
      product = try KroneckerRefinement(change, metric, product.form, settings).refined(product)
    }
    return Factorization(
      measuring: product.stored(as: settings.storage), of: LoKr.self, rank: product.form.rank,
      for: change, iterations: product.iterations,
      detail: "factor \(factor) (\(product.form.layout.label))")
  }
}
