private import CBLAS
import Tensors

extension SVD {
  /// The leading `rank` triplets, at least one, of QᵀQ·A for orthonormal rows Q `[q, m]` and W = Q·A
  /// `[q, n]`: the best approximation of A within the span of Q.
  ///
  /// From the Gram matrix of W in double precision; where the smallest singular value asked
  /// for is below 1e-2 · σ₀, from a QR decomposition, so that its vectors stay orthogonal.
  /// - Complexity: O(q²·n)
  /// - Returns: nil if LAPACK did not converge.
  init?(within q: Tensor, images w: Tensor, rank: Int) {
    guard let pairs = w.gram(.plain).leadingEigenpairs(rank) else { return nil }
    let squares = pairs.values
    var vectors = pairs.vectors
    guard squares[rank - 1] > Self.leastSquare * squares[0] else {
      self.init(basis: DoubleMatrix(q), product: DoubleMatrix(w), rank: rank)
      return
    }
    let near = vectors.tensor.matmul(q)
    let roots = squares.map { $0.squareRoot() }
    vectors.divideRows(by: roots)
    self.init(ut: near, s: roots.map { Float($0) }, vt: vectors.tensor.matmul(w))
  }

  /// The same for rows Q that are of full rank, and orthonormal only nearly: with S = Q·Qᵀ and G = W·Wᵀ the leading pairs
  /// of G·x = σ²·S·x give orthonormal left vectors x·Q.
  /// - Complexity: O(q²·n)
  /// - Returns: nil if LAPACK did not converge, or Q is not of full rank.
  init?(withinSpanOf q: Tensor, images w: Tensor, rank: Int) {
    let measure = q.gram(.plain)
    guard let pairs = w.gram(.plain).eigenpairs(measuredBy: measure) else { return nil }
    guard pairs.values[rank - 1] > Self.leastSquare * pairs.values[0] else {
      // With S = RᵀR the rows of R⁻ᵀ·Q are orthonormal.
      guard let root = measure.choleskyRoot(adding: 0) else { return nil }
      self.init(
        basis: DoubleMatrix(q).dividedFromLeft(by: root),
        product: DoubleMatrix(w).dividedFromLeft(by: root), rank: rank)
      return
    }
    let roots = pairs.values.prefix(rank).map { $0.squareRoot() }
    var vectors = pairs.vectors.prefix(rank)
    let left = vectors.tensor.matmul(q)
    vectors.divideRows(by: roots)
    self.init(ut: left, s: roots.map { Float($0) }, vt: vectors.tensor.matmul(w))
  }

  /// Below this part of the largest square, right vectors made by division are not orthogonal enough.
  private static let leastSquare = 1e-4

  /// The same as the first, however small the singular values are.
  ///
  /// Wᵀ = Z·R by Householder QR and the SVD of the small R, all in double precision, so that both
  /// sides come out orthonormal however small, or zero, a singular value is.
  /// - Complexity: O(q²·n)
  /// - Returns: nil if LAPACK did not converge.
  init?(basis: DoubleMatrix, product: DoubleMatrix, rank: Int) {
    let (q, n) = (product.rows, product.columns)
    let k = min(q, n)
    var z = product.elements
    var tau = [Double](repeating: 0, count: k)
    guard
      unsafe blas.pointee.LAPACKE_dgeqrf(LAPACK_COL_MAJOR, Int32(n), Int32(q), &z, Int32(n), &tau)
        == 0
    else { return nil }
    var r = DoubleMatrix(zeros: q, k)  // column-major k × q
    for j in 0..<q {
      for i in 0...min(j, k - 1) { r.elements[j * k + i] = z[j * n + i] }
    }
    var s = [Double](repeating: 0, count: k)
    var right = DoubleMatrix(zeros: k, k)  // rows: left vectors of R
    var left = DoubleMatrix(zeros: q, k)  // columns: right vectors of R
    guard
      unsafe blas.pointee.LAPACKE_dgesdd(
        LAPACK_COL_MAJOR, CChar(UInt8(ascii: "S")), Int32(k), Int32(q), &r.elements, Int32(k), &s,
        &right.elements, Int32(k), &left.elements, Int32(k)) == 0,
      unsafe blas.pointee.LAPACKE_dorgqr(
        LAPACK_COL_MAJOR, Int32(n), Int32(k), Int32(k), &z, Int32(n), tau) == 0
    else { return nil }
    var rows = DoubleMatrix(zeros: k, n)
    rows.elements = k == q ? z : Array(z[..<(k * n)])
    let vt = right.prefix(rank).matmul(rows)
    let ut = left.matmul(basis, .transposed).prefix(rank)
    self.init(ut: ut.tensor, s: s.prefix(rank).map { Float($0) }, vt: vt.tensor)
  }
}
