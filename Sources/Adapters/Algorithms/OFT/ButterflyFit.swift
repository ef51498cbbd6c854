import LinearAlgebra
import Tensors

/// Rotations of the stages of BOFT, fitted to a pair of weights by turns.
///
/// With all stages but one fixed, ‖Bₘ ⋯ B₁ · W − T‖ is that of the one stage between what those before
/// it make of W and what the inverses of those after it make of T: n Procrustes problems, each with a
/// solution in closed form. Sweeps go up and down the stages; the error never rises. From the
/// identity, the first stage of the first sweep is Diag-OFT's solution.
///
/// With a free factor for every row, T is replaced before every pair of sweeps by the target of a
/// majorizer, see `RowScaling`.
struct ButterflyFit {
  /// `[n, b, b]` of every stage.
  private(set) var rotations: [Tensor]
  /// ‖D · Bₘ ⋯ B₁ · W − T‖², where D is the best row factors or the identity.
  private(set) var squaredError = Double.infinity
  /// How often the stages were gone through.
  private(set) var sweeps = 0

  private let extent: Int
  private let scalesRows: Bool
  /// W, or the identity where `products` are used.
  private let source: Tensor
  /// T, or T·Wᵀ.
  private let goal: Tensor
  /// For a weight of more columns than rows, where the problem is told by products: W·Wᵀ if rows are
  /// scaled.
  private let gram: Tensor?
  private let hasProducts: Bool
  private let sourceEnergy, targetEnergy: Double

  /// - Parameters:
  ///   - blocks: `[m, n, b, b]` as `BOFT.blocks` gives them.
  ///   - limit: sweeps at most; the fit ends before where a pair of them takes less than 1e-3 of the
  ///     error.
  /// - Complexity: O(m·out·b·min(out, columns)) a sweep, and O(out²·columns) before them where there
  ///   are more columns than outputs.
  /// - Throws: `LinearAlgebraError.notFinite`, `.notConverged`
  init(
    rotating base: Tensor, to tuned: Tensor, blocks: Shape, scalingRows scalesRows: Bool,
    atMost limit: Int = 25
  ) throws(LinearAlgebraError) {
    let shape = base.shape.asMatrix
    let (w, t) = (base.reshaped(shape), tuned.reshaped(shape))
    (sourceEnergy, targetEnergy) = (w.sumOfSquares, t.sumOfSquares)
    guard sourceEnergy.isFinite, targetEnergy.isFinite else {
      throw .notFinite(.procrustes, base.shape)
    }
    hasProducts = shape.columns > shape.rows
    source = hasProducts ? Tensor(identity: shape.rows) : w
    goal = hasProducts ? t.matmulTransposed(w) : t
    gram = hasProducts && scalesRows ? w.matmulTransposed(w) : nil
    self.scalesRows = scalesRows
    let extents = blocks.dimensions
    extent = extents[2]
    let identity = Tensor.stacked(
      Array(repeating: Tensor(identity: extent), count: extents[1])
    ).reshaped([extents[1], extent, extent])
    rotations = Array(repeating: identity, count: extents[0])
    try run(atMost: limit)
  }

  private mutating func run(atMost limit: Int) throws(LinearAlgebraError) {
    var turned = try ascend(goal)
    sweeps = 1
    while true {
      let last = squaredError
      let (error, target) = measure(turned)
      squaredError = error
      guard let target, sweeps + 2 <= limit, rotations.count > 1 || scalesRows,
        last - error > 1e-3 * error, error > 1e-13 * targetEnergy
      else { return }
      turned = try ascend(descend(turned, target))
      sweeps += 2
    }
  }

  /// From the first stage to the last; `goal` has the inverses of all stages applied to it.
  /// - Returns: what all of them make of the source.
  private mutating func ascend(_ goal: Tensor) throws(LinearAlgebraError) -> Tensor {
    var (x, y) = (source, goal)
    for stage in rotations.indices {
      let before = blocks(of: x, stage)
      let after = rotations[stage].blockMatmul(blocks(of: y, stage))
      rotations[stage] = try after.blockMatmulTransposed(before).nearestRotations()
      x = rows(of: rotations[stage].blockMatmul(before), stage)
      if stage + 1 < rotations.count { y = rows(of: after, stage) }
    }
    return x
  }

  /// From the last stage to the first; `turned` is what all of them make of the source.
  /// - Returns: the goal with the inverses of all of them applied to it.
  private mutating func descend(
    _ turned: Tensor, _ goal: Tensor
  ) throws(LinearAlgebraError) -> Tensor {
    var (x, y) = (turned, goal)
    for stage in rotations.indices.reversed() {
      let before = rotations[stage].swappedLastAxes().blockMatmul(blocks(of: x, stage))
      let after = blocks(of: y, stage)
      rotations[stage] = try after.blockMatmulTransposed(before).nearestRotations()
      if stage > 0 { x = rows(of: before, stage) }
      y = rows(of: rotations[stage].swappedLastAxes().blockMatmul(after), stage)
    }
    return y
  }

  private func blocks(of weight: Tensor, _ stage: Int) -> Tensor {
    let shape = weight.shape
    return weight.pairedRows(stage: stage, block: extent)
      .reshaped([shape.rows / extent, extent, shape.columns])
  }

  private func rows(of blocks: Tensor, _ stage: Int) -> Tensor {
    blocks.reshaped(source.shape).unpairedRows(stage: stage, block: extent)
  }

  /// The error of what the stages make of the source, and what they should make of it next; nil if
  /// nothing is left to be gained.
  private func measure(_ turned: Tensor) -> (error: Double, target: Tensor?) {
    guard scalesRows else {
      guard hasProducts else { return (turned.squaredDistance(to: goal), goal) }
      let product = turned.rowProducts(with: goal).reduce(0, +)
      return (max(sourceEnergy + targetEnergy - 2 * product, 0), goal)
    }
    let weight = gram.map { turned.matmul($0) } ?? turned
    let scaling = RowScaling(
      products: turned.rowProducts(with: goal), energies: turned.rowProducts(with: weight), empty: 1
    )
    let error = max(targetEnergy - scaling.kept, 0)
    guard let weights = scaling.majorizer else { return (error, nil) }
    var target = weight
    target.scaleRows(by: weights.own.map { Float($0) })
    var pull = goal
    pull.scaleRows(by: weights.target.map { Float($0) })
    return (error, target.adding(pull, times: 1))
  }
}
