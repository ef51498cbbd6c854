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
  ///
  /// Numbers in halves are multiplied as bf16, until the triplets leave so little that its noise would count.
  /// - Parameter near: that of a matrix near to this one, from which the search starts instead of a
  ///   sketch: two blocks may then do.
  /// - Parameter further: triplets behind those of an error that are wanted too, as the sketch has them.
  /// - Parameter tolerance: the part of what is left, squared, that another block may still take, twice the part of
  ///   the error that is said above.
  /// - Precondition: the matrix is finite and not zero; `energy` is the square of its norm.
  consuming func randomizedSVD(
    _ goal: TruncationGoal, energy: Double, seed: UInt64, near: SVD? = nil, further: Int = 0,
    tolerance: Double = SketchTolerance.usual
  ) -> SVD? {
    let isWide = shape.rows <= shape.columns
    func search(_ panels: some Panels) -> SketchOutcome {
      Self.search(
        panels, isWide: isWide, goal, energy: energy, seed: seed, near: near, further: further,
        tolerance: tolerance)
    }
    // Consumed, so that halves are given back once they are whole again.
    switch (consume self).form {
    case .whole(let panels): return search(panels).svd
    case .split(let panels):
      if goal.mayLeave(SplitPanels.leastRest) {
        let outcome = search(panels)
        guard case .tooSteep = outcome else { return outcome.svd }
      }
      return search(WholePanels(panels)).svd
    }
  }

  private static func search<Matrix: Panels>(
    _ panels: Matrix, isWide: Bool, _ goal: TruncationGoal, energy: Double, seed: UInt64,
    near: SVD?, further: Int, tolerance: Double
  ) -> SketchOutcome {
    let start = near.map { isWide ? $0.u.transposed() : $0.vt }
    let known = start?.shape.rows ?? 0
    var krylov = BlockKrylov(
      panels, isWide: isWide, energy: energy, seed: seed, start: start?.elements ?? [])
    let largest = krylov.short / goal.shareOfShortSide
    var goalNow = goal
    var progress = SketchProgress(blocks: known > 0 ? 2 : 3, tolerance: tolerance)
    while true {
      let size = max(goal.blockSize(after: krylov.count), (known + 15) / 16 * 16)
      guard krylov.count + size <= largest else { return .found(nil) }
      krylov.extend(by: size)
      guard let squares = krylov.squares() else { return .found(nil) }
      progress.append(squares)
      if !Matrix.isExact, case .rank(let wanted) = goal,
        progress.rest(energy, wanted) <= SplitPanels.leastRest * energy
      {
        return .tooSteep
      }
      if case .rank(let wanted) = goalNow,
        progress.rest(krylov.energy, wanted) <= 1e-5 * krylov.energy
      {
        let before = krylov.energy
        krylov.deflate()
        // Nothing is left but rounding error.
        if krylov.energy <= 1e-12 * energy {
          return .found(krylov.count >= wanted ? krylov.svd(rank: goal.limit) : nil)
        }
        guard krylov.energy < 0.5 * before else { return .found(nil) }
        let found = squares.count { $0 > 10 * krylov.energy }
        goalNow = .rank(max(1, wanted - found))
        progress = SketchProgress(blocks: 3, tolerance: tolerance)
      } else if let rank = progress.rank(for: goalNow, energy: krylov.energy) {
        if case .rank = goal { return .found(krylov.svd(rank: goal.limit)) }
        let kept = min(rank + further, krylov.count)
        let svd = krylov.svd(rank: kept)
        // The rank was told by squares that are noisy, and so may be one too few.
        guard
          Matrix.isExact
            || progress.rest(energy, kept) > SplitPanels.leastRest * energy
              && svd.map({ goal.isMet(by: $0.prefix(rank), energy: energy) }) ?? true
        else { return .tooSteep }
        return .found(svd)
      }
    }
  }
}

/// What a search for triplets ends with.
private enum SketchOutcome {
  /// Nil where the sketch would have to span too much, or LAPACK did not converge.
  case found(SVD?)
  /// The triplets leave so little that panels in halves do not tell it.
  case tooSteep

  var svd: SVD? {
    guard case .found(let svd) = self else { return nil }
    return svd
  }
}
