import Tensors

extension PanelMatrix {
  /// The leading triplets from a block Krylov sketch, or nil where the sketch would have to span so
  /// much of the shorter side that the exact path is cheaper.
  ///
  /// The basis grows block by block until extrapolation says that the rank is known and that the
  /// error is within 3e-4 of the optimum of that rank. A spectrum so steep that the rest would be
  /// lost in rounding error is taken in several steps, each on what the last one left.
  ///
  /// Error over the optimum, less 1, for rank 32 of 1280 singular values, by products of so many
  /// vectors with the matrix after the first sketch, which costs one reading of it:
  ///
  ///     products × vectors            i^-0.3   i^-0.5   i^-1     32 triplets over noise
  ///     subspace iteration 2 × 64     2.4e-2   2.3e-2   1.3e-2   2.9e-2
  ///     subspace iteration 3 × 64     8.7e-3   6.1e-3   1.8e-3   5.0e-3
  ///     Krylov, 3 blocks   6 × 32     2.6e-3   2.5e-3   5.3e-4   1.9e-4
  ///     Krylov, 4 blocks   8 × 16     4.7e-3   6.0e-3   5.2e-3   5.3e-3
  ///     Krylov, 6 blocks  12 × 16     3.8e-4   1.4e-4   1e-5     1e-6
  ///
  /// Subspace iteration (Halko, Martinsson and Tropp 2011, arXiv:0909.4061) keeps the last block
  /// alone, so that it takes more of wider products to the same error.
  /// Stopping by extrapolation left at most 3.7e-4 over these and flat, steep and stepped spectra.
  /// - Parameter near: that of a matrix near to this one, from which the search starts instead of a
  ///   sketch: two blocks may then do.
  /// - Parameter further: triplets behind those of an error that are wanted too, as the sketch has them.
  /// - Parameter tolerance: the part of what is left, squared, that another block may still take, twice the part of
  ///   the error that is said above.
  /// - Precondition: the matrix is finite and not zero; `energy` is the square of its norm.
  func randomizedSVD(
    _ goal: TruncationGoal, energy: Double, seed: UInt64, near: SVD? = nil, further: Int = 0,
    tolerance: Double = 6e-4
  ) -> SVD? {
    let start = near.map { shape.rows <= shape.columns ? $0.u.transposed() : $0.vt }
    let known = start?.shape.rows ?? 0
    var krylov = BlockKrylov(self, energy: energy, seed: seed, start: start?.elements ?? [])
    let largest = krylov.short / goal.shareOfShortSide
    var goalNow = goal
    var progress = SketchProgress(blocks: known > 0 ? 2 : 3, tolerance)
    while true {
      let size = max(goal.blockSize(after: krylov.count), (known + 15) / 16 * 16)
      guard krylov.count + size <= largest else { return nil }
      krylov.extend(by: size)
      guard let squares = krylov.squares() else { return nil }
      progress.append(squares)
      if case .rank(let wanted) = goalNow,
        progress.rest(krylov.energy, wanted) <= 1e-5 * krylov.energy
      {
        let before = krylov.energy
        krylov.deflate()
        // Nothing is left but rounding error.
        if krylov.energy <= 1e-12 * energy {
          return krylov.count >= wanted ? krylov.svd(rank: goal.limit) : nil
        }
        guard krylov.energy < 0.5 * before else { return nil }
        let found = squares.count { $0 > 10 * krylov.energy }
        goalNow = .rank(max(1, wanted - found))
        progress = SketchProgress(blocks: 3, tolerance)
      } else if let rank = progress.rank(for: goalNow, energy: krylov.energy) {
        if case .rank = goal { return krylov.svd(rank: goal.limit) }
        return krylov.svd(rank: min(rank + further, krylov.count))
      }
    }
  }
}

extension TruncationGoal {
  /// The part of the shorter side, as its inverse, that a sketch may span before the exact path is
  /// cheaper; less where the rank is not known, because the last vectors may still not tell it.
  fileprivate var shareOfShortSide: Int {
    switch self {
    case .rank: 2
    case .relativeError: 3
    }
  }

  /// Vectors in the next block of a sketch that has `count`.
  ///
  /// Half the rank: smaller blocks need fewer operations for the same error, but more readings of
  /// the matrix. Where the rank is not known, the sketch grows by half of itself.
  fileprivate func blockSize(after count: Int) -> Int {
    switch self {
    case .rank(let rank): max(16, (rank + 31) / 32 * 16)
    case .relativeError: max(32, (count + 31) / 32 * 16)
    }
  }
}

/// What the last blocks of a sketch captured, and what another one may still capture.
private struct SketchProgress {
  /// How many blocks there must be before anything is said.
  private let blocks: Int
  /// The part of what is left that they may still capture.
  private let tolerance: Double
  /// Squared singular values within the basis, after each of the last three blocks.
  private var squares: [[Double]] = []

  init(blocks: Int, _ tolerance: Double) { (self.blocks, self.tolerance) = (blocks, tolerance) }

  mutating func append(_ values: [Double]) {
    squares.append(values)
    if squares.count > 3 { squares.removeFirst() }
  }

  /// Energy that the leading `rank` triplets of the basis leave.
  func rest(_ energy: Double, _ rank: Int) -> Double {
    max(energy - captured(rank, squares.count - 1), 0)
  }

  /// The rank that meets the goal, as soon as another block cannot change it, nor the error of its
  /// triplets by more than half of the tolerance.
  func rank(for goal: TruncationGoal, energy: Double) -> Int? {
    guard squares.count >= blocks,
      let rank = goal.rank(squares: squares[squares.count - 1], energy: energy)
    else { return nil }
    var floor = 0.0
    if case .relativeError(let error, _) = goal {
      let bound = error * error * energy
      // With one triplet less it must stay above the bound, also when all is captured.
      guard rest(energy, rank - 1) - gain(rank - 1) > bound else { return nil }
      floor = 1e-3 * bound
    }
    return gain(rank) <= tolerance * max(rest(energy, rank), floor) ? rank : nil
  }

  /// What the leading `rank` triplets may still gain: a geometric series from the last two gains.
  private func gain(_ rank: Int) -> Double {
    let step = squares.count - 1
    let last = captured(rank, step) - captured(rank, step - 1)
    guard last > 0 else { return 0 }
    // As if every block gained half of the one before, where there is none to compare.
    guard step > 1 else { return last }
    let previous = captured(rank, step - 1) - captured(rank, step - 2)
    guard previous > 0 else { return 0 }
    // Not less than 0.3: between the last of the signal and the first of the noise a single ratio
    // says little of the next.
    let ratio = min(max(last / previous, 0.3), 0.9)
    return last * ratio / (1 - ratio)
  }

  private func captured(_ rank: Int, _ step: Int) -> Double {
    squares[step].prefix(rank).reduce(0, +)
  }
}
