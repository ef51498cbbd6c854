package import Tensors

/// How the leading triplets of a matrix are found.
package enum SVDMethod: String, CaseIterable, Sendable {
  /// `.randomized` where min(m, n) is at least 128 and at least 6 times the rank asked for, which
  /// is where it is faster; `.exact` otherwise.
  case auto
  /// A block Krylov sketch, within 1e-3 of the optimal error; `.exact` where the sketch would have
  /// to span more than half of the shorter side (a third, where the rank is not known).
  case randomized
  /// The Gram matrix of the shorter side, in double precision.
  case exact
}

extension Tensor {
  /// The leading `rank` triplets of the matrix `[m, n]`, or min(m, n) if that is less: the matrix of
  /// that rank nearest to it in the Frobenius norm.
  ///
  /// The result depends on the matrix, the arguments, the BLAS library and what the processor multiplies bf16 with alone.
  /// - Parameters:
  ///   - seed: chooses the random sketch; `.exact` does not use it.
  ///   - energy: ‖A‖²_F where the caller has it, which saves a reading of the matrix; if finite, so is
  ///     every element.
  ///   - near: that of a matrix near to this one, of no more triplets than `rank`, from which a sketch
  ///     starts.
  ///   - tolerance: the part of ‖A − B‖² that another block may still take from the result B of a sketch.
  /// - Complexity: about O(m·n·rank) where the sketch is used, else O(m·n·min(m, n)).
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`, `.notConverged`
  package func truncatedSVD(
    rank: Int, method: SVDMethod = .auto, seed: UInt64 = 0, energy: Double? = nil,
    near: SVD? = nil, tolerance: Double = SketchTolerance.usual
  ) throws(LinearAlgebraError) -> SVD {
    precondition(rank >= 0, "rank \(rank)")
    return try truncatedSVD(
      .rank(min(rank, shape.rows, shape.columns)), method, seed, energy, near, tolerance: tolerance)
  }

  /// The best approximation of the matrix within what it makes of the right vectors of another SVD: one
  /// step of subspace iteration. From that of a matrix near to this one it is near to the truncated
  /// SVD, for two products with as many vectors.
  /// - Precondition: the other has one triplet at least, and no more than there are rows.
  /// - Complexity: O(m·n·k) for k triplets
  /// - Throws: `LinearAlgebraError.notConverged`
  package func truncatedSVD(refining near: SVD) throws(LinearAlgebraError) -> SVD {
    var left = applied(toRows: near.vt)
    left.orthonormalizeRows(against: Tensor(zeros: [0, shape.rows]))
    guard
      let svd = SVD(within: left, images: transposeApplied(toRows: left), rank: near.rank)
    else { throw .notConverged(.truncatedSVD, shape) }
    return svd
  }

  /// The fewest leading triplets that leave at most `relativeError` · ‖A‖_F in the Frobenius norm;
  /// `maximumRank` of them if those do not suffice. A matrix of zeros has none.
  ///
  /// The sketch grows until it tells the rank, and one too few is ruled out by extrapolating what
  /// another block could still capture. It may find one triplet too many where the last one needed
  /// exceeds the bound by less than 1e-3 of it.
  /// - Parameter further: triplets behind those, where a sketch has found them too: it was not made for them.
  /// - Complexity: as that of the rank found.
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`, `.notConverged`
  package func truncatedSVD(
    relativeError: Double, maximumRank: Int? = nil, method: SVDMethod = .auto, seed: UInt64 = 0,
    energy: Double? = nil, further: Int = 0
  ) throws(LinearAlgebraError) -> SVD {
    precondition(relativeError >= 0, "relative error \(relativeError)")
    precondition(maximumRank ?? 0 >= 0, "maximum rank \(maximumRank ?? 0)")
    let limit = min(maximumRank ?? .max, shape.rows, shape.columns)
    return try truncatedSVD(
      .relativeError(relativeError, maximumRank: limit), method, seed, energy, further: further)
  }

  private func truncatedSVD(
    _ goal: TruncationGoal, _ method: SVDMethod, _ seed: UInt64, _ known: Double?,
    _ near: SVD? = nil, further: Int = 0, tolerance: Double = SketchTolerance.usual
  ) throws(LinearAlgebraError) -> SVD {
    let energy = try checkedEnergy(for: .truncatedSVD, known: known)
    if goal.rank(squares: [], energy: energy) == 0 { return emptySVD }
    if energy > 0, !PanelMatrix.plainEnergies.contains(energy) {
      let norm = energy.squareRoot()
      // In two steps, because the inverse of a subnormal norm overflows.
      let half = Float(1 / norm.squareRoot())
      let svd = try ((self * half) * half).truncatedSVD(
        goal, method, seed, nil, near, further: further, tolerance: tolerance)
      return SVD(
        u: svd.u, s: svd.s.map { Float(Double($0) / Double(half) / Double(half)) }, vt: svd.vt)
    }
    if method.sketches(shape, goal), energy > 0,
      let svd = PanelMatrix(self, energy: energy, for: goal).randomizedSVD(
        goal, energy: energy, seed: seed, near: near, further: further, tolerance: tolerance)
    {
      return svd
    }
    return try exactSVD(goal, energy: energy, for: .truncatedSVD)
  }
}

extension PanelMatrix {
  /// As `Tensor.truncatedSVD(rank:method:seed:energy:)`.
  package func truncatedSVD(
    rank: Int, method: SVDMethod = .auto, seed: UInt64 = 0
  ) throws(LinearAlgebraError) -> SVD {
    precondition(rank >= 0, "rank \(rank)")
    guard let svd = try sketched(.rank(min(rank, short)), method, seed) else {
      return try tensor.truncatedSVD(
        rank: rank, method: method.withoutSketch(of: self), seed: seed, energy: energy)
    }
    return svd
  }

  /// As `Tensor.truncatedSVD(relativeError:maximumRank:method:seed:energy:)`.
  package func truncatedSVD(
    relativeError: Double, maximumRank: Int? = nil, method: SVDMethod = .auto, seed: UInt64 = 0
  ) throws(LinearAlgebraError) -> SVD {
    let limit = min(maximumRank ?? .max, short)
    guard
      let svd = try sketched(.relativeError(relativeError, maximumRank: limit), method, seed)
    else {
      return try tensor.truncatedSVD(
        relativeError: relativeError, maximumRank: maximumRank,
        method: method.withoutSketch(of: self), seed: seed, energy: energy)
    }
    return svd
  }

  /// nil where a sketch is not the way, or did not lead anywhere.
  private func sketched(
    _ goal: TruncationGoal, _ method: SVDMethod, _ seed: UInt64
  ) throws(LinearAlgebraError) -> SVD? {
    guard shape.count <= Int32.max, energy.isFinite, Self.plainEnergies.contains(energy),
      method.sketches(shape, goal), goal.rank(squares: [], energy: energy) != 0
    else { return nil }
    return randomizedSVD(goal, energy: energy, seed: seed)
  }

  /// Far from 1, squares of squares leave the range of single precision.
  static let plainEnergies = 1e-16...1e16
}

extension SVDMethod {
  /// Whether a sketch is tried for a matrix of that shape, so that it may as well be read as panels.
  /// - Parameter rank: nil where an error decides on it.
  package func sketches(_ shape: Shape, rank: Int?) -> Bool {
    let limit = min(shape.rows, shape.columns)
    return sketches(
      shape, rank.map { .rank(min($0, limit)) } ?? .relativeError(1, maximumRank: limit))
  }

  /// What is left to try where no sketch of a matrix was made of use: scaled to an energy near 1, any method.
  fileprivate func withoutSketch(of matrix: PanelMatrix) -> SVDMethod {
    PanelMatrix.plainEnergies.contains(matrix.energy) ? .exact : self
  }

  func sketches(_ shape: Shape, _ goal: TruncationGoal) -> Bool {
    let short = min(shape.rows, shape.columns)
    switch (self, goal) {
    case (.exact, _): return false
    // What is left must stand out from the rounding error of squares in single precision.
    case (_, .relativeError(let error, _)) where error < 5e-3: return false
    case (.randomized, _): return true
    case (.auto, .rank(let rank)): return short >= max(128, 6 * rank)
    case (.auto, .relativeError): return short >= 128
    }
  }
}
