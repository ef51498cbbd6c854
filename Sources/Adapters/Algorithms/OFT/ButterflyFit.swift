import LinearAlgebra
import Tensors

/// Rotations of the stages of BOFT, fitted to a pair of weights by turns.
///
/// With all blocks but one fixed, ‖Bₘ ⋯ B₁ · W − T‖ is that of the one block between what those before
/// it make of W and what the inverses of those after it make of T: a Procrustes problem, with a
/// solution in closed form. Sweeps go up and down the stages; the error never rises. From the
/// identity, the first stage of the first sweep is Diag-OFT's solution.
///
/// With a free factor for every row, T is replaced before every pair of sweeps by the target of a
/// majorizer, see `RowScaling`.
struct ButterflyFit {
  /// `[m · n, b, b]`, stage by stage.
  private(set) var rotations: Tensor
  /// ‖D · Bₘ ⋯ B₁ · W − T‖², where D is the best row factors or the identity.
  private(set) var squaredError: Double
  /// How often the stages were gone through.
  private(set) var sweeps = 0

  private let blocks: Shape
  private let scalesRows: Bool
  /// Blocks as their stage and place in it, those first that others need. Blocks of a group of rows are
  /// together, so that it stays in the cache for some stages.
  private let order: [(stage: Int, block: Int)]
  /// W and T, or the identity and T·Wᵀ, see `formProducts`.
  private var source, goal: Tensor
  /// W·Wᵀ where the problem is told by products and rows are scaled.
  private var gram: Tensor?
  private var isByProducts = false
  private let sourceEnergy, targetEnergy: Double
  /// What rotations make of the source, and what inverses of those that are still to be improved make of
  /// the goal.
  private var turned, wanted: Tensor

  /// - Parameters:
  ///   - blocks: `[m, n, b, b]` as `BOFT.blocks` gives them.
  ///   - limit: sweeps at most; the fit ends before where a pair of them takes less than 1e-3 of the
  ///     error, and after the first sweep where that took no more than 5e-3 of ‖T − W‖²: what it leaves
  ///     to those to come is less.
  /// - Complexity: O(m·out·b·columns) a sweep; from the fourth on O(m·out·b·min(out, columns)), and
  ///   O(out²·columns) once where there are more columns than outputs.
  /// - Throws: `LinearAlgebraError.notFinite`, `.notConverged`
  init(
    rotating base: Tensor, to tuned: Tensor, blocks: Shape, scalingRows scalesRows: Bool,
    atMost limit: Int = 25
  ) throws(LinearAlgebraError) {
    let shape = base.shape.asMatrix
    (source, goal) = (base.reshaped(shape), tuned.reshaped(shape))
    (turned, wanted) = (source, goal)
    (sourceEnergy, targetEnergy) = (source.sumOfSquares, goal.sumOfSquares)
    guard sourceEnergy.isFinite, targetEnergy.isFinite else {
      throw .notFinite(.procrustes, base.shape)
    }
    squaredError = goal.squaredDistance(to: source)
    self.blocks = blocks
    self.scalesRows = scalesRows
    let (stages, count, extent) = (
      blocks.dimensions[0], blocks.dimensions[1], blocks.dimensions[2]
    )
    order = (0..<count >> (stages - 1)).flatMap { Self.order(upTo: stages - 1, group: $0) }
    rotations = Tensor.stacked(
      Array(repeating: Tensor(identity: extent), count: stages * count)
    ).reshaped([stages * count, extent, extent])
    try run(atMost: limit)
  }

  /// Blocks of a group of a stage, behind all of those stages before it that turn the same rows.
  private static func order(upTo stage: Int, group: Int) -> [(stage: Int, block: Int)] {
    let own = (group << stage..<(group + 1) << stage).map { (stage: stage, block: $0) }
    guard stage > 0 else { return own }
    return order(upTo: stage - 1, group: 2 * group)
      + order(upTo: stage - 1, group: 2 * group + 1) + own
  }

  private mutating func run(atMost limit: Int) throws(LinearAlgebraError) {
    let start = squaredError
    try ascend(isFirst: true)
    while true {
      let last = sweeps == 1 && scalesRows ? .infinity : squaredError
      let (error, target) = measure()
      squaredError = error
      let gain = last - error
      guard let target, sweeps + 2 <= limit, blocks.dimensions[0] > 1 || scalesRows,
        gain > (sweeps == 1 ? 5e-3 * start : 1e-3 * error), error > 1e-13 * targetEnergy
      else { return }
      wanted = target
      if !isByProducts, source.shape.columns > source.shape.rows, sweeps > 2 || scalesRows {
        formProducts()
        if let target = measure().target { wanted = target }
      }
      try descend()
      turned = source
      try ascend(isFirst: false)
    }
  }

  /// From the first blocks to the last; `wanted` has the inverses of all of them applied to it, and ends as
  /// the goal.
  private mutating func ascend(isFirst: Bool) throws(LinearAlgebraError) {
    for (stage, block) in order {
      let rows = rows(of: block, stage)
      if !isFirst { wanted.turnRows(rows, by: rotation(of: block, stage)) }
      turned.turnRows(rows, by: try improve(block, stage, rows))
    }
    sweeps += 1
  }

  /// From the last blocks to the first; `turned` is what all of them make of the source, and ends as the
  /// source.
  private mutating func descend() throws(LinearAlgebraError) {
    for (stage, block) in order.reversed() {
      let rows = rows(of: block, stage)
      turned.turnRows(rows, by: rotation(of: block, stage).transposed())
      wanted.turnRows(rows, by: try improve(block, stage, rows).transposed())
    }
    sweeps += 1
  }

  /// The best rotation of a block between what is turned and what is wanted.
  private mutating func improve(
    _ block: Int, _ stage: Int, _ rows: [Int]
  ) throws(LinearAlgebraError) -> Tensor {
    let rotation = try wanted.products(ofRows: rows, with: turned).nearestRotations()
    rotations.replaceRows(
      from: stage * blocks.dimensions[1] + block,
      with: rotation.reshaped(
        Shape([1] + rotation.shape.dimensions)))
    return rotation
  }

  /// As it is now.
  private func rotation(of block: Int, _ stage: Int) -> Tensor {
    let (count, extent) = (blocks.dimensions[1], blocks.dimensions[2])
    let place = stage * count + block
    return rotations.rows(place..<place + 1).reshaped([extent, extent])
  }

  /// The rows that a block turns, in the order of its own: two runs, by turns.
  private func rows(of block: Int, _ stage: Int) -> [Int] {
    let extent = blocks.dimensions[2]
    let (half, group) = (extent / 2, block >> stage)
    let upper = (block + group << stage) * half
    return (0..<extent).map { upper + $0 / 2 + $0 % 2 * (half << stage) }
  }

  /// Goes on with products of rows alone, which are fewer numbers where there are more columns than
  /// outputs: ‖B·W − T‖² = ‖W‖² + ‖T‖² − 2·⟨B, T·Wᵀ⟩.
  private mutating func formProducts() {
    if scalesRows { gram = source.matmulTransposed(source) }
    goal = goal.matmulTransposed(source)
    source = Tensor(identity: source.shape.rows)
    turned = source.butterflied(by: rotations.reshaped(blocks))
    isByProducts = true
  }

  /// The error of what the stages make of the source, and what they should make of it next; nil if
  /// nothing is left to be gained.
  private func measure() -> (error: Double, target: Tensor?) {
    guard scalesRows else {
      guard isByProducts else { return (turned.squaredDistance(to: goal), goal) }
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
