package import LinearAlgebra
import Tensors

extension ExtractableAlgorithm {
  /// Factors of a change, wrapped in DoRA where the settings ask for magnitudes.
  /// - Throws: as `factorize`.
  package static func factorization(
    of change: WeightChange, policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    guard let axis = settings.magnitudes, WeightDecomposition<Tensor>.wraps(self) else {
      return try fitted(to: change, policy: policy, settings: settings)
    }
    return try WeightDecomposition<Tensor>.factorize(
      change, with: self, along: axis, policy: policy, settings: settings)
  }

  /// What could be stored, the magnitudes of DoRA included where the settings ask for them.
  ///
  /// The errors with magnitudes are those without: which is close where directions fit well.
  /// - Throws: as `options`.
  package static func storedOptions(
    for change: WeightChange, depth: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [ExtractionOption] {
    let direct =
      change.metric == nil ? nil : try weighing?.direct?.options(change, depth, settings)
    let options =
      if let direct { direct } else {
        try self.options(
          for: weighing?.whitened(change) ?? change, depth: depth, settings: settings)
      }
    guard let axis = settings.magnitudes, WeightDecomposition<Tensor>.wraps(self) else {
      return options
    }
    let extent = axis == .outputs ? change.shape.rows : change.shape.inputs
    let magnitude = (WeightDecomposition<Tensor>.suffix.name, Shape([extent, 1]))
    return options.map {
      ExtractionOption(
        $0.algorithm, $0.policy, $0.settings, storing: $0.tensors + [magnitude],
        squaredError: $0.squaredError)
    }
  }
}

extension Factorization {
  /// The smallest form of any of the algorithms that keeps the relative error within the bound of the
  /// policy, as it is stored; the whole change where none does, or where it is smaller.
  ///
  /// Algorithms of which a sample says that they cannot keep the bound are left out, and those that take more bytes than
  /// what does. Options are tried
  /// from the smallest on, so that rounding which lifts one above the bound costs one more factorization. Under a policy without a bound, the one with the least error.
  /// - Throws: `LinearAlgebraError`
  package init(
    best algorithms: [any ExtractableAlgorithm.Type], for change: WeightChange,
    policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) {
    let change = try change.rooted()
    let whole = settings.byteCount(of: change.shape.count)
    if case .error(let bound) = policy {
      let limit = bound * bound * change.energy
      var options: [ExtractionOption] = []
      let (depth, svd) = try Self.depth(for: change, bound: bound, settings)
      let change = change.metric == nil ? change.knowing(svd) : change
      func fits(_ option: ExtractionOption) -> Bool {
        option.squaredError <= limit && option.byteCount < whole
      }
      let leastBytes = algorithms.map { $0.leastBytes(for: change.shape, settings: settings) }
      for index in algorithms.indices.sorted(by: { (leastBytes[$0], $0) < (leastBytes[$1], $1) }) {
        let algorithm = algorithms[index]
        // Rounding may lift the smallest above the bound.
        let found = options.filter(fits).map(\.byteCount).sorted()
        if found.count > 1, leastBytes[index] >= found[1] { continue }
        // A sample knows nothing of outputs.
        if change.metric == nil,
          try algorithm.sampledShare(of: change, settings: settings) + Self.samplingError
            < 1 - bound * bound
        {
          continue
        }
        options += try algorithm.storedOptions(for: change, depth: depth, settings: settings)
      }
      let fitting = options.enumerated().filter { fits($0.element) }
      for (_, option) in fitting.sorted(by: {
        ($0.element.byteCount, $0.offset) < ($1.element.byteCount, $1.offset)
      }) {
        let found = try option.algorithm.factorization(
          of: change, policy: option.policy, settings: option.settings)
        if found.relativeError <= bound {
          self = found
          return
        }
      }
      if settings.allowsFull {
        self = Full.factorize(change, settings)
        return
      }
    }
    var best: Factorization?
    for algorithm in algorithms {
      let found = try algorithm.factorization(of: change, policy: policy, settings: settings)
      if best.map({ found.isBetter(than: $0, under: policy) }) ?? true { best = found }
    }
    self = best ?? Full.factorize(change, settings)
  }

  /// By how much of ‖Δ‖² a sample may be wrong: it has a hundred thousand numbers or more, but not of every
  /// row and column.
  private static let samplingError = 0.05

  /// One rank more than LoRA needs for the bound, and another one, which is as deep as any algorithm has to look;
  /// and the triplets that tell it.
  private static func depth(
    for change: WeightChange, bound: Double, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> (Int, SVD) {
    let svd = try change.measured.reshaped(change.shape.asMatrix).truncatedSVD(
      relativeError: bound, method: settings.method, seed: settings.seed, energy: change.energy,
      further: 2)
    var left = change.energy
    let needed = svd.s.prefix { value in
      defer { left -= Double(value) * Double(value) }
      return left > bound * bound * change.energy
    }
    return (needed.count + 2, svd)
  }
}
