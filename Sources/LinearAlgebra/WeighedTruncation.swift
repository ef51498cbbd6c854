package import Tensors

/// The leading part of a matrix whose columns, and perhaps rows, count as symmetric moments say.
package struct WeighedTruncation: Sendable {
  /// P `[m, r]`, the left factor: its columns are orthonormal where G measures them, PᵀGP = I.
  package let left: Tensor
  /// Pᵀ·G·A `[r, n]`, the right one.
  package let right: Tensor
  /// Singular values of Nᵀ·A·M, descending.
  package let s: [Float]

  package init(left: Tensor, right: Tensor, s: [Float]) {
    (self.left, self.right, self.s) = (left, right, s)
  }
}

extension Tensor {
  /// The factors of A `[m, n]` of some rank that leave the least of ‖Nᵀ·(A − A')·M‖²_F = tr(Gᵀ(A − A')·C·(A − A')ᵀ), where
  /// C = M·Mᵀ and G = N·Nᵀ are known by their products alone; nil where a sketch does not find them.
  ///
  /// By Eckart and Young A' is N⁻ᵀ·U·Uᵀ·Nᵀ·A with the leading left vectors U of Nᵀ·A·M. With P = N⁻ᵀ·U this is P·Pᵀ·G·A and
  /// A·C·Aᵀ·G·P = P·Σ², so that neither M nor N nor their inverses are needed. P is sought in the block Krylov space of
  /// A·C·Aᵀ·G, as in `PanelMatrix.randomizedSVD`, and by the same rule for its end; within it P comes from a small
  /// symmetric problem that G measures.
  ///
  /// nil for small matrices, high ranks, and spectra so steep that single precision loses what the leading part leaves:
  /// then Nᵀ·A·M itself is to be decomposed.
  /// - Parameters:
  ///   - energy: ‖Nᵀ·A·M‖²_F, about.
  ///   - columns: C·v for every row v of `[k, n]`.
  ///   - rows: G·v for every row v of `[k, m]`; nil where all rows count alike.
  /// - Complexity: about O(rank·(m·n + n² + m²)).
  /// - Throws: `LinearAlgebraError.notFinite`
  package func weighedTruncation(
    rank: Int, method: SVDMethod = .auto, seed: UInt64 = 0, energy: Double,
    columns: @escaping (Tensor) -> Tensor, rows: ((Tensor) -> Tensor)? = nil
  ) throws(LinearAlgebraError) -> WeighedTruncation? {
    try weighedTruncation(
      .rank(min(rank, shape.rows, shape.columns)), method, seed, energy, columns, rows)
  }

  /// The same for the lowest rank that leaves at most a part of ‖Nᵀ·A·M‖_F, or `maximumRank`.
  package func weighedTruncation(
    relativeError: Double, maximumRank: Int? = nil, method: SVDMethod = .auto, seed: UInt64 = 0,
    energy: Double, columns: @escaping (Tensor) -> Tensor, rows: ((Tensor) -> Tensor)? = nil
  ) throws(LinearAlgebraError) -> WeighedTruncation? {
    let limit = min(maximumRank ?? .max, shape.rows, shape.columns)
    return try weighedTruncation(
      .relativeError(relativeError, maximumRank: limit), method, seed, energy, columns, rows)
  }

  private func weighedTruncation(
    _ goal: TruncationGoal, _ method: SVDMethod, _ seed: UInt64, _ energy: Double,
    _ columns: @escaping (Tensor) -> Tensor, _ rows: ((Tensor) -> Tensor)?
  ) throws(LinearAlgebraError) -> WeighedTruncation? {
    guard energy.isFinite else { throw .notFinite(.truncatedSVD, shape) }
    guard method.sketches(shape, goal), PanelMatrix.plainEnergies.contains(energy),
      (goal.rank(squares: [], energy: energy) ?? 1) > 0
    else { return nil }
    var search = WeighedSearch(of: self, seed: seed, columns: columns, rows: rows)
    let largest = min(shape.rows, shape.columns) / goal.shareOfShortSide
    var progress = SketchProgress(blocks: 3)
    while true {
      let size = goal.blockSize(after: search.count)
      guard search.count + size <= largest else { return nil }
      search.extend(by: size)
      guard let squares = search.squares() else { return nil }
      progress.append(squares)
      if case .rank(let wanted) = goal, progress.rest(energy, wanted) <= 1e-5 * energy {
        return nil
      }
      if let rank = progress.rank(for: goal, energy: energy) {
        return search.leading(min(rank, goal.limit))
      }
    }
  }
}

/// A growing basis of the Krylov space of A·C·Aᵀ·G; all vectors are rows.
private struct WeighedSearch {
  private let matrix: Tensor
  private let columns: (Tensor) -> Tensor
  private let rows: ((Tensor) -> Tensor)?
  private var generator: SeededGenerator
  /// P, orthonormal, and what belongs to it: G·P where there is a G, Aᵀ·G·P, and A·C·Aᵀ·G·P of the last block.
  private var basis: Tensor
  private var weighed: Tensor
  private var images: Tensor
  private var powers: Tensor
  /// PᵀG·A·C·Aᵀ·G·P and Pᵀ·G·P, by rows of their lower triangles.
  private var projected: [[Double]] = []
  private var measures: [[Double]] = []

  init(
    of matrix: Tensor, seed: UInt64, columns: @escaping (Tensor) -> Tensor,
    rows: ((Tensor) -> Tensor)?
  ) {
    (self.matrix, self.columns, self.rows) = (matrix, columns, rows)
    generator = SeededGenerator(seed: seed)
    basis = Tensor(zeros: [0, matrix.shape.rows])
    weighed = basis
    images = Tensor(zeros: [0, matrix.shape.columns])
    powers = basis
  }

  var count: Int { basis.shape.rows }

  /// Appends so many vectors: what the operator makes of the last ones, and A·C of random ones for what is missing.
  mutating func extend(by size: Int) {
    var next = powers.rows(0..<min(size, powers.shape.rows))
    let missing = size - next.shape.rows
    if missing > 0 {
      var random = Tensor(zeros: [missing, matrix.shape.columns])
      for i in 0..<random.count {
        random.elements[i] = Float(Int64(bitPattern: generator.next()) >> 40) * 0x1p-23
      }
      next = .stacked([next, matrix.applied(toRows: columns(random))])
    }
    next.orthonormalizeRows(against: basis)
    let measured = rows?(next) ?? next
    let image = matrix.transposeApplied(toRows: measured)
    powers = matrix.applied(toRows: columns(image))
    basis = .stacked([basis, next])
    images = .stacked([images, image])
    weighed = rows == nil ? basis : .stacked([weighed, measured])
    append(powers.matmulTransposed(weighed), to: &projected, size)
    if rows != nil { append(measured.matmulTransposed(basis), to: &measures, size) }
  }

  private func append(_ products: Tensor, to triangle: inout [[Double]], _ size: Int) {
    for row in 0..<size {
      let start = row * count
      triangle.append(
        products.elements[start...start + count - size + row].map(Double.init))
    }
  }

  /// Squared singular values within the basis, descending; nil if LAPACK did not converge.
  func squares() -> [Double]? {
    guard rows != nil else { return Self.square(projected).eigenvalues() }
    return Self.square(projected).eigenpairs(measuredBy: Self.square(measures))?.values
  }

  func leading(_ rank: Int) -> WeighedTruncation? {
    let square = Self.square(projected)
    guard
      let pairs = rows == nil
        ? square.leadingEigenpairs(rank)
        : square.eigenpairs(measuredBy: Self.square(measures))
    else { return nil }
    var left = pairs.vectors.prefix(rank).tensor.matmul(basis)
    var right = pairs.vectors.prefix(rank).tensor.matmul(images)
    let negated = left.orientRows()
    right.scaleRows(by: negated.map { $0 ? -1 : 1 })
    return WeighedTruncation(
      left: left.transposed(), right: right,
      s: pairs.values.prefix(rank).map { Float(max($0, 0).squareRoot()) })
  }

  /// The upper triangle of a symmetric matrix.
  private static func square(_ rows: [[Double]]) -> DoubleMatrix {
    var square = DoubleMatrix(zeros: rows.count, rows.count)
    for (i, row) in rows.enumerated() {
      for (j, value) in row.enumerated() { square.elements[j * rows.count + i] = value }
    }
    return square
  }
}
