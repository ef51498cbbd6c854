package import LinearAlgebra
import Tensors

extension DiagOFT: ExtractableAlgorithm {
  package static var needsBase: Bool { true }
  package static let weighing: OutputWeighing? = .ofRotations

  /// The rotation of every block of outputs that brings W nearest to the tuned weight, in closed form;
  /// with row factors an iteration, see `Procrustes`.
  ///
  /// - Parameter policy: `fixed` is LyCORIS' dim, from which `evenFactors` makes the extent of the
  ///   blocks; `error` takes the smallest blocks that leave no more, else those that leave least; the
  ///   others, which choose by a spectrum, the largest blocks of at most 32 outputs.
  /// - Throws: `LinearAlgebraError` if a weight is not finite or LAPACK does not converge.
  package static func factorize(
    _ change: WeightChange, policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let outputs = change.shape.rows
    let extents = extents(for: outputs, settings)
    switch policy {
    case .full:
      return Full.factorize(change, settings)
    case .fixed(let rank):
      let extent = evenFactors(of: outputs, factor: max(rank, 1)).0
      guard extent > 1 || settings.rescales else { return Rotation.undivided(change, settings) }
      return try factorize(change, change.tuned, extent: extent, settings)
    case .threshold, .ratio, .quantile, .norm:
      guard let extent = extents.last(where: { $0 <= 32 }) ?? extents.first else {
        return Rotation.undivided(change, settings)
      }
      return try factorize(change, change.tuned, extent: extent, settings)
    case .error(let bound):
      let tuned = change.tuned
      var best: Factorization?
      for extent in extents {
        let found = try factorize(change, tuned, extent: extent, settings)
        if found.relativeError <= bound { return found }
        if found.squaredError < best?.squaredError ?? .infinity { best = found }
      }
      return best ?? Rotation.undivided(change, settings)
    }
  }

  /// One for every extent of blocks.
  package static func options(
    for change: WeightChange, depth: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [ExtractionOption] {
    let outputs = change.shape.rows
    let tuned = change.tuned
    var options: [ExtractionOption] = []
    for extent in extents(for: outputs, settings) {
      let problem = try Procrustes(rotating: change.base, to: tuned, extent: extent)
      options.append(
        ExtractionOption(
          DiagOFT.self, .fixed(extent), settings,
          storing: Rotation.storedShapes(
            blocks: [outputs / extent, extent, extent], for: change.shape, settings),
          squaredError: settings.rescales
            ? try problem.scaledRotations().squaredError : try problem.squaredError()))
    }
    return options
  }

  /// That of the largest blocks, of which all smaller ones are a case where they divide them.
  package static func sampledShare(
    of change: WeightChange, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Double {
    guard let sample = Rotation.sample(of: change),
      let extent = extents(for: change.shape.rows, settings).last
    else { return 1 }
    let problem = try Procrustes(rotating: sample.base, to: sample.tuned, extent: extent)
    let left =
      settings.rescales
      ? try problem.scaledRotations().squaredError : try problem.squaredError()
    return 1 - left / sample.energy
  }

  private static func factorize(
    _ change: WeightChange, _ tuned: Tensor, extent: Int, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    guard !Rotation.isLarger([change.shape.rows, extent], than: change, settings) else {
      return Full.factorize(change, settings)
    }
    let problem = try Procrustes(rotating: change.base, to: tuned, extent: extent)
    let scaled = settings.rescales ? try problem.scaledRotations() : nil
    let rotations = if let scaled { scaled.rotations } else { try problem.rotations() }
    // W' is Rᵀ·W.
    let blocks = try Rotation.stored(rotations.swappedLastAxes(), as: settings.storage)
    return Factorization(
      measuring: Rotation.factors(blocks, of: DiagOFT.self, for: change, settings),
      of: DiagOFT.self, rank: nil, for: change, iterations: scaled?.iterations,
      detail: "blocks of \(extent)")
  }

  /// The extents of blocks that are tried, ascending; each is also the dim that asks for it. Blocks of
  /// one output turn nothing.
  private static func extents(for outputs: Int, _ settings: FactorizationSettings) -> [Int] {
    Set([2, 4, 8, 16, 32, 64].map { evenFactors(of: outputs, factor: $0).0 })
      .filter { $0 > 1 || settings.rescales }.sorted()
  }
}
