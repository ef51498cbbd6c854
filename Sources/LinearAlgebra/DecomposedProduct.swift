private import CLAPACKE
private import COpenBLAS
package import Tensors

/// A product A·B of small inner extent, decomposed so far that its singular values are known and any
/// leading part of its SVD is cheap.
///
/// By Gram matrices in double precision: with AᵀA = RᵀR and B·Bᵀ = SᵀS, A·B has the singular values of
/// the core R·Sᵀ = P·Σ·Zᵀ, the left vectors A·R⁺·P and the right vectors Bᵀ·S⁺·Z. The Gram matrices
/// cost half of what QR does, and only vectors that are asked for are formed. The root R is Cholesky's where
/// that is safe; where a factor is of lower rank than its extent, or nearly so, it comes from the
/// eigenvectors whose part of the factor is more than what a `Float` resolves.
package struct DecomposedProduct: Sendable {
  /// The singular values, min(m, r, n) of them, descending.
  package let s: [Float]
  private let form: Form

  private enum Form: Sendable {
    /// A, B and what the vectors are made of them with, row by row: (R⁺·P)ᵀ `[k, r]` and (S⁺·Z)ᵀ `[k, r]`.
    case factors(Tensor, Tensor, left: DoubleMatrix, right: DoubleMatrix)
    case whole(SVD)
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

  /// The leading triplets; those of singular values that are zero have vectors of zeros.
  /// - Complexity: O((m + n)·r·rank)
  package func leading(_ rank: Int) throws(LinearAlgebraError) -> SVD {
    switch form {
    case .whole(let svd): return svd.prefix(rank)
    case .factors(let a, let b, let left, let right):
      let rank = min(rank, s.count)
      // Rows of `left` are columns of R⁻¹·P: (A·x)ᵀ = xᵀ·Aᵀ.
      let ut = a.multiplied(from: left.prefix(rank), .transposed)
      let vt = b.multiplied(from: right.prefix(rank), .plain)
      return SVD(ut: ut.tensor, s: Array(s.prefix(rank)), vt: vt.tensor)
    }
  }

  /// nil where the inner extent is no less than the others, so that the product itself is as small, and
  /// where LAPACK does not converge.
  private static func byGramMatrices(
    _ a: Tensor, _ b: Tensor
  ) throws(LinearAlgebraError) -> ([Float], Form)? {
    let r = a.shape.columns
    guard r > 0, r <= min(a.shape.rows, b.shape.columns) else { return nil }
    _ = try a.checked(for: .svd)
    _ = try b.checked(for: .svd)
    guard let first = GramRoot(a.gram(.transposed)), let second = GramRoot(b.gram(.plain)),
      let core = first.root.matmul(second.root.transposed()).svd()
    else { return nil }
    return (
      // Ranks that are missing have singular values of zero.
      core.s + [Float](repeating: 0, count: r - core.s.count),
      .factors(
        a, b, left: first.solve(core.left, adding: r), right: second.solve(core.right, adding: r))
    )
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

  /// x·(R⁺)ᵀ for every row x, with rows of zeros up to `count` of them.
  func solve(_ rows: DoubleMatrix, adding count: Int) -> DoubleMatrix {
    var solved = rows
    if let inverse {
      solved = rows.matmul(inverse)
    } else {
      solved.solve(root)
    }
    var result = DoubleMatrix(zeros: count, root.columns)
    result.elements.replaceSubrange(0..<solved.elements.count, with: solved.elements)
    return result
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
    let info = unsafe LAPACKE_dpotrf(
      LAPACK_ROW_MAJOR, CChar(UInt8(ascii: "U")), n, &factor.elements, n)
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
      unsafe LAPACKE_dgesdd(
        LAPACK_COL_MAJOR, CChar(UInt8(ascii: "S")), Int32(columns), Int32(rows), &a, Int32(columns),
        &s, &right.elements, Int32(columns), &left.elements, Int32(k)) == 0
    else { return nil }
    return (s.map { Float($0) }, left.transposed(), right)
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
    unsafe cblas_dtrsm(
      CblasRowMajor, CblasRight, CblasUpper, CblasTrans, CblasNonUnit, blasint(rows),
      blasint(columns), 1, triangle.elements, blasint(triangle.columns), &elements,
      blasint(columns))
  }
}
