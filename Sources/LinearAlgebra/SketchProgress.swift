/// What the last blocks of a sketch captured, and what another one may still capture.
struct SketchProgress {
  /// How many blocks there must be before anything is said.
  private let blocks: Int
  /// The part of what is left that they may still capture.
  private let tolerance: Double
  /// Squared singular values within the basis, after each of the last three blocks.
  private var squares: [[Double]] = []

  init(blocks: Int, tolerance: Double = SketchTolerance.usual) {
    (self.blocks, self.tolerance) = (blocks, tolerance)
  }

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

extension TruncationGoal {
  /// The part of the shorter side, as its inverse, that a sketch may span before the exact path is
  /// cheaper; less where the rank is not known, because the last vectors may still not tell it.
  var shareOfShortSide: Int {
    switch self {
    case .rank: 2
    case .relativeError: 3
    }
  }

  /// Vectors in the next block of a sketch that has `count`.
  ///
  /// Half the rank: smaller blocks need fewer operations for the same error, but more readings of
  /// the matrix. Where the rank is not known, the sketch grows by half of itself.
  func blockSize(after count: Int) -> Int {
    switch self {
    case .rank(let rank): max(16, (rank + 31) / 32 * 16)
    case .relativeError: max(32, (count + 31) / 32 * 16)
    }
  }
}
