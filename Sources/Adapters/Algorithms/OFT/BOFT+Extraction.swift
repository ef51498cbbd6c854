package import LinearAlgebra
package import Tensors

extension BOFT: ExtractableAlgorithm {
  package static var needsBase: Bool { true }
  package static let weighing: OutputWeighing? = .ofRotations

  /// Rotations of all stages that bring W near to the tuned weight, refined by turns, see
  /// `ButterflyFit`: a local optimum, never worse than Diag-OFT with the same blocks.
  ///
  /// - Parameter policy: `fixed` is the largest block, as LyCORIS' dim; where no block of at most that
  ///   leaves a power of two, the smallest that does. `error` takes the smallest blocks of at most 64
  ///   that leave no more, else those that leave least; the others, which choose by a spectrum, the
  ///   largest blocks of at most 32 outputs.
  /// - Throws: `LinearAlgebraError` if a weight is not finite or LAPACK does not converge.
  package static func factorize(
    _ change: WeightChange, policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let outputs = change.shape.rows
    guard policy != .full else {
      return Full.factorize(change, settings)
    }
    guard let smallest = smallestExtent(for: outputs) else {
      return Rotation.undivided(change, settings)
    }
    switch policy {
    case .error(let bound):
      let tuned = change.tuned
      var best: Factorization?
      var extent = smallest
      repeat {
        let found = try factorize(change, tuned, atMost: extent, settings)
        if found.relativeError <= bound { return found }
        if found.squaredError < best?.squaredError ?? .infinity { best = found }
        extent *= 2
      } while extent <= min(64, outputs)
      return best ?? Rotation.undivided(change, settings)
    case .fixed(let rank):
      return try factorize(change, change.tuned, atMost: max(rank, smallest), settings)
    case .full, .threshold, .ratio, .quantile, .norm:
      return try factorize(change, change.tuned, atMost: max(32, smallest), settings)
    }
  }

  /// Blocks of at most 8 and of at most 32 outputs, or the smallest there are, after three sweeps.
  package static func options(
    for change: WeightChange, depth: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [ExtractionOption] {
    let outputs = change.shape.rows
    guard let smallest = smallestExtent(for: outputs) else { return [] }
    let tuned = change.tuned
    var options: [ExtractionOption] = []
    for blocks in optionalBlocks(for: outputs, smallest) where blocks.count < change.shape.count {
      let fit = try ButterflyFit(
        rotating: change.base, to: tuned, blocks: blocks, scalingRows: settings.rescales, atMost: 3)
      options.append(
        ExtractionOption(
          BOFT.self, .fixed(blocks.dimensions[2]), settings,
          storing: Rotation.storedShapes(blocks: blocks, for: change.shape, settings),
          squaredError: fit.squaredError))
    }
    return options
  }

  /// Blocks of options, the smaller ones first.
  private static func optionalBlocks(for outputs: Int, _ smallest: Int) -> [Shape] {
    var found: [Shape] = []
    for limit in Set([8, 32].map { max($0, smallest) }).sorted() {
      if let blocks = blocks(for: outputs, atMost: limit), blocks != found.last {
        found.append(blocks)
      }
    }
    return found
  }

  package static func leastBytes(for weight: Shape, settings: FactorizationSettings) -> Int {
    guard let smallest = smallestExtent(for: weight.rows) else { return 0 }
    return optionalBlocks(for: weight.rows, smallest)
      .map { settings.byteCount(of: $0.count) }.min() ?? 0
  }

  /// That of the largest blocks.
  package static func sampledShare(
    of change: WeightChange, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Double {
    guard let sample = Rotation.sample(of: change),
      let smallest = smallestExtent(for: change.shape.rows),
      let blocks = blocks(for: change.shape.rows, atMost: max(32, smallest))
    else { return 1 }
    let fit = try ButterflyFit(
      rotating: sample.base, to: sample.tuned, blocks: blocks, scalingRows: settings.rescales,
      atMost: 3)
    return 1 - fit.squaredError / sample.energy
  }

  private static func factorize(
    _ change: WeightChange, _ tuned: Tensor, atMost limit: Int, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    guard let blocks = blocks(for: change.shape.rows, atMost: limit) else {
      return Rotation.undivided(change, settings)
    }
    guard !Rotation.isLarger(blocks, than: change, settings) else {
      return Full.factorize(change, settings)
    }
    let fit = try ButterflyFit(
      rotating: change.base, to: tuned, blocks: blocks, scalingRows: settings.rescales)
    let stored = try Rotation.stored(fit.rotations, as: settings.storage)
      .reshaped(blocks)
    return Factorization(
      measuring: Rotation.factors(stored, of: BOFT.self, for: change, settings), of: BOFT.self,
      rank: nil, for: change, iterations: fit.sweeps, detail: "blocks of \(blocks.dimensions[2])")
  }

  /// The smallest even extent of blocks that leaves a power of two: twice the odd part. nil for an odd
  /// number of outputs.
  private static func smallestExtent(for outputs: Int) -> Int? {
    outputs > 0 && outputs % 2 == 0 ? outputs >> (outputs.trailingZeroBitCount - 1) : nil
  }
}
