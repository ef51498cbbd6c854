private import CBLAS
package import Tensors

/// A product A·B of small inner extent, decomposed so far that its singular values are known and any
/// leading part of its SVD is cheap.
///
/// By Gram matrices in double precision: with AᵀA = RᵀR, the squares of the singular values are the eigenvalues of
/// R·B·Bᵀ·Rᵀ = P·Σ²·Pᵀ, the left vectors A·R⁺·P and the right vectors Bᵀ·Rᵀ·P·Σ⁻¹. Where the least of them is lost in
/// such squares, B·Bᵀ = SᵀS too, and A·B has the singular values of the core R·Sᵀ = P·Σ·Zᵀ and the right vectors
/// Bᵀ·S⁺·Z. The Gram matrices cost half of what QR does, and only vectors that are asked for are formed, in single
/// precision where that costs them nothing. The root R is Cholesky's where that is safe; where a factor is of lower rank
/// than its extent, or nearly so, it comes from the eigenvectors whose part of the factor is more than what a `Float`
/// resolves.
package struct DecomposedProduct: Sendable {
  /// The singular values, min(m, r, n) of them, descending.
  package let s: [Float]
  private let form: Form

  private enum Form: Sendable {
    /// A, B and what the vectors are made of them with.
    case factors(Factor, Factor)
    case whole(SVD)
  }

  private struct Factor: Sendable {
    let tensor: Tensor
    /// ‖A‖²_F
    let energy: Double
    let root: GramRoot
    /// Vectors x of the core, as rows, whose vectors of the product are A·R⁺·x.
    let core: DoubleMatrix
    /// Where there are some, the vectors are A·Rᵀ·x over these.
    let lengths: [Double]?

    init(
      _ tensor: Tensor, _ energy: Double, root: GramRoot, core: DoubleMatrix,
      lengths: [Double]? = nil
    ) {
      (self.tensor, self.energy) = (tensor, energy)
      (self.root, self.core, self.lengths) = (root, core, lengths)
    }

    /// What rounding in single precision may grow by in a product whose rows are of length 1, but for their part in the
    /// whole: an error below 2e-6 of the largest singular value is that of any SVD in single precision.
    private static let mostGrowth = 32.0

    /// - Parameter s: the singular values that the vectors belong to.
    func vectors(_ s: [Float], _ side: Orientation) -> Tensor {
      let rows = rows(s.count)
      let width = rows.columns
      let largest = max(Double(s.first ?? 0), .leastNormalMagnitude)
      let longest = s.indices.reduce(0.0) { most, i in
        let part = Double(s[i]) / largest
        return max(
          most, part * part * rows.elements[i * width..<(i + 1) * width].reduce(0) { $0 + $1 * $1 })
      }
      guard (longest * energy).squareRoot() > Self.mostGrowth else {
        return side == .plain
          ? rows.tensor.matmul(tensor) : rows.tensor.matmulTransposed(tensor)
      }
      return tensor.multiplied(from: rows, side).tensor
    }

    /// What is multiplied by the factor to that many unit vectors, but for rounding, and to zeros beyond its rank.
    private func rows(_ count: Int) -> DoubleMatrix {
      let leading = core.prefix(count)
      guard let lengths else { return root.solve(leading).extended(to: count) }
      var rows = root.multiply(leading)
      rows.divideRows(by: lengths.prefix(count))
      return rows.extended(to: count)
    }
  }

  /// Of A `[m, r]` and B `[r, n]`.
  /// - Complexity: O((m + n)·r² + r³)
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`, `.notConverged`
  package init(_ a: Tensor, _ b: Tensor) throws(LinearAlgebraError) {
    if let (s, form) = try Self.byGramMatrices(a, b) {
      (self.s, self.form) = (s, form)
    } else {
      let svd = try SVD(ofProduct: a, b)
      (s, form) = (svd.s, .whole(svd))
    }
  }

  /// The leading triplets; those of singular values that are zero have vectors of zeros. Their product is right to 2e-6 of
  /// the largest singular value; a vector of a small one may be off by as much beside its own.
  /// - Complexity: O((m + n)·r·rank)
  package func leading(_ rank: Int) throws(LinearAlgebraError) -> SVD {
    switch form {
    case .whole(let svd): return svd.prefix(rank)
    case .factors(let a, let b):
      let kept = Array(s.prefix(rank))
      // Rows of the first are columns of R⁻¹·P: (A·x)ᵀ = xᵀ·Aᵀ.
      return SVD(
        ut: a.vectors(kept, .transposed), s: kept, vt: b.vectors(kept, .plain))
    }
  }

  /// nil where the inner extent is no less than the others, so that the product itself is as small, and
  /// where LAPACK does not converge.
  private static func byGramMatrices(
    _ a: Tensor, _ b: Tensor
  ) throws(LinearAlgebraError) -> ([Float], Form)? {
    let r = a.shape.columns
    guard r > 0, r <= min(a.shape.rows, b.shape.columns) else { return nil }
    for factor in [a, b] { try factor.checkExtents(for: .svd) }
    let (firstGram, gram) = (a.gram(.transposed), b.gram(.plain))
    let energies = (
      try a.checkedEnergy(for: .svd, known: firstGram.trace),
      try b.checkedEnergy(for: .svd, known: gram.trace)
    )
    guard let first = GramRoot(firstGram) else { return nil }
    // Ranks that are missing have singular values of zero.
    func all(_ s: [Float]) -> [Float] { s + [Float](repeating: 0, count: r - s.count) }
    if let (lengths, left) = squares(
      of: first, gram, largest: energies.0 * energies.1 / Double(r))
    {
      return (
        all(lengths.map { Float($0) }),
        .factors(
          Factor(a, energies.0, root: first, core: left),
          Factor(b, energies.1, root: first, core: left, lengths: lengths))
      )
    }
    guard let second = GramRoot(gram),
      let core = first.root.matmul(second.root.transposed()).svd()
    else { return nil }
    return (
      all(core.s),
      .factors(
        Factor(a, energies.0, root: first, core: core.left),
        Factor(b, energies.1, root: second, core: core.right))
    )
  }

  /// The least eigenvalue beside the largest there may be from which its root and its vectors are right to 1e-6.
  private static let leastSquare = 1e-8

  /// By the eigenvalues of R·G·Rᵀ, of which the upper triangle of G is given; nil where the least is too small, or LAPACK
  /// does not converge.
  private static func squares(
    of root: GramRoot, _ gram: DoubleMatrix, largest: Double
  ) -> (lengths: [Double], left: DoubleMatrix)? {
    guard let product = root.around(gram),
      let (values, left) = product.leadingEigenpairs(product.rows), let least = values.last,
      least > leastSquare * largest
    else { return nil }
    return (values.map { $0.squareRoot() }, left)
  }
}

/// A root R of a Gram matrix, RᵀR, with which it is solved.
private struct GramRoot {
  /// `[k, r]`
  let root: DoubleMatrix
  /// (R⁺)ᵀ `[k, r]` where R is not triangular.
  private let inverse: DoubleMatrix?

  /// The part of a factor, relative to its largest, that is no more than rounding.
  private static let noise = 1e-7

  /// nil if LAPACK does not converge, or for zeros.
  init?(_ gram: DoubleMatrix) {
    if let triangle = gram.choleskyFactor() {
      (root, inverse) = (triangle, nil)
      return
    }
    guard let (values, vectors) = gram.leadingEigenpairs(gram.rows), let largest = values.first,
      largest > 0
    else { return nil }
    let kept = values.prefix { $0 > largest * Self.noise * Self.noise }.count
    var root = vectors.prefix(kept)
    var inverse = root
    for i in 0..<kept {
      let length = values[i].squareRoot()
      for j in i * gram.rows..<(i + 1) * gram.rows {
        root.elements[j] *= length
        inverse.elements[j] /= length
      }
    }
    (self.root, self.inverse) = (root, inverse)
  }

  /// R·G·Rᵀ for a symmetric G, of which the upper triangle is read, and that of the result counts.
  func around(_ gram: DoubleMatrix) -> DoubleMatrix? {
    guard inverse == nil else {
      return root.matmul(gram.symmetric()).matmul(root.transposed())
    }
    var product = gram
    let n = Int32(gram.rows)
    // Column-major LAPACK sees Rᵀ, a lower triangle L, and makes Lᵀ·G·L.
    let info = unsafe blas.pointee.LAPACKE_dsygst(
      LAPACK_COL_MAJOR, 2, CChar(UInt8(ascii: "L")), n, &product.elements, n, root.elements, n)
    return info == 0 ? product : nil
  }

  /// x·R for every row x.
  func multiply(_ rows: DoubleMatrix) -> DoubleMatrix {
    guard inverse == nil else { return rows.matmul(root) }
    var product = rows
    unsafe blas.pointee.cblas_dtrmm(
      CblasRowMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, blasint(rows.rows),
      blasint(rows.columns), 1, root.elements, blasint(root.columns), &product.elements,
      blasint(rows.columns))
    return product
  }

  /// x·(R⁺)ᵀ for every row x.
  func solve(_ rows: DoubleMatrix) -> DoubleMatrix {
    guard let inverse else {
      var solved = rows
      solved.solve(root)
      return solved
    }
    return rows.matmul(inverse)
  }
}

extension DoubleMatrix {
  /// How small a pivot may be beside the largest: 1e-5, so that what Cholesky loses, its square times
  /// the precision of a double, stays below that of a `Float`.
  private static let smallestPivot = 1e-5

  /// The upper triangular R with RᵀR equal to the matrix, of which the upper triangle is read; nil if
  /// it is not positive definite by a margin.
  fileprivate func choleskyFactor() -> DoubleMatrix? {
    var factor = self
    let n = Int32(rows)
    // What is the upper triangle by rows is the lower one by columns.
    let info = unsafe blas.pointee.LAPACKE_dpotrf(
      LAPACK_COL_MAJOR, CChar(UInt8(ascii: "L")), n, &factor.elements, n)
    guard info == 0 else { return nil }
    var (least, most) = (Double.infinity, 0.0)
    for i in 0..<rows {
      least = min(least, factor.elements[i * rows + i])
      most = max(most, factor.elements[i * rows + i])
      for j in 0..<i { factor.elements[i * rows + j] = 0 }
    }
    return least >= Self.smallestPivot * most ? factor : nil
  }

  /// The thin SVD: singular values, rounded, with left and right vectors as rows; nil if LAPACK does not
  /// converge.
  fileprivate func svd() -> (s: [Float], left: DoubleMatrix, right: DoubleMatrix)? {
    let k = min(rows, columns)
    var a = elements
    var s = [Double](repeating: 0, count: k)
    var (left, right) = (DoubleMatrix(zeros: rows, k), DoubleMatrix(zeros: k, columns))
    // Column-major, LAPACK sees the transpose: its left vectors, by columns, are our right ones by rows.
    guard
      unsafe blas.pointee.LAPACKE_dgesdd(
        LAPACK_COL_MAJOR, CChar(UInt8(ascii: "S")), Int32(columns), Int32(rows), &a, Int32(columns),
        &s, &right.elements, Int32(columns), &left.elements, Int32(k)) == 0
    else { return nil }
    return (s.map { Float($0) }, left.transposed(), right)
  }

  /// The same with rows of zeros, so many in all.
  fileprivate func extended(to count: Int) -> DoubleMatrix {
    guard count > rows else { return self }
    var result = DoubleMatrix(zeros: count, columns)
    result.elements.replaceSubrange(0..<elements.count, with: elements)
    return result
  }

  /// With the upper triangle below the diagonal too.
  fileprivate func symmetric() -> DoubleMatrix {
    var result = self
    for i in 0..<rows {
      for j in 0..<i { result.elements[i * columns + j] = elements[j * columns + i] }
    }
    return result
  }

  fileprivate func transposed() -> DoubleMatrix {
    var result = DoubleMatrix(zeros: columns, rows)
    for i in 0..<rows {
      for j in 0..<columns { result.elements[j * rows + i] = elements[i * columns + j] }
    }
    return result
  }

  /// Every row x ← R⁻¹·x for an upper triangular R.
  fileprivate mutating func solve(_ triangle: DoubleMatrix) {
    // xᵀ ← xᵀ·R⁻ᵀ
    unsafe blas.pointee.cblas_dtrsm(
      CblasRowMajor, CblasRight, CblasUpper, CblasTrans, CblasNonUnit, blasint(rows),
      blasint(columns), 1, triangle.elements, blasint(triangle.columns), &elements,
      blasint(columns))
  }
}
