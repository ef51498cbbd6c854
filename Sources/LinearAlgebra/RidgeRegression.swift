private import CBLAS
package import Tensors

/// Regression on the columns of a matrix W `[m, n]` with a ridge λ > 0: for a vector y the x that
/// minimizes ‖y − W·x‖² + λ‖x‖² (Hoerl and Kennard 1970).
///
/// x = (WᵀW + λI)⁻¹·Wᵀ·y = Wᵀ·(W·Wᵀ + λI)⁻¹·y, by a Cholesky decomposition of the smaller of the two
/// matrices in double precision.
package struct RidgeRegression: Sendable {
  /// W
  package let matrix: Tensor
  /// λ, at least what was asked for.
  package let penalty: Double
  /// R with RᵀR = WᵀW + λI, or W·Wᵀ + λI of a matrix that is wider than high.
  private let factor: DoubleMatrix
  private var isWide: Bool { matrix.shape.rows < matrix.shape.columns }

  /// Orders from which the Gram matrix is formed in single precision, which takes half of the time,
  /// and the ridge, as a part of the mean of its diagonal, that covers the rounding: four times what
  /// it came to for 1280 × 1280 normal numbers.
  private static let (largeOrder, roundoff) = (512, 4e-6)

  /// - Complexity: O(m·n·min(m, n))
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`; `.notConverged` for a ridge that is lost in
  ///   the rounding of W·Wᵀ.
  package init(on matrix: Tensor, penalty: Double) throws(LinearAlgebraError) {
    let energy = try matrix.checkedEnergy(for: .leastSquares)
    self.matrix = matrix
    let side: Orientation = matrix.shape.rows < matrix.shape.columns ? .plain : .transposed
    let order = min(matrix.shape.rows, matrix.shape.columns)
    if order >= Self.largeOrder {
      let safe = max(penalty, Self.roundoff * energy / Double(order))
      if let factor = matrix.singleGram(side).choleskyRoot(adding: safe) {
        (self.penalty, self.factor) = (safe, factor)
        return
      }
    }
    // Of zeros any ridge makes zeros.
    self.penalty = penalty > 0 ? penalty : 1
    guard let factor = matrix.gram(side).choleskyRoot(adding: self.penalty) else {
      throw .notConverged(.leastSquares, matrix.shape)
    }
    self.factor = factor
  }

  /// x `[k, n]` for every row y of `[k, m]`.
  /// - Complexity: O(m·n·k)
  package func coefficients(ofRows targets: Tensor) -> Tensor {
    isWide
      ? matrix.transposeApplied(toRows: solved(targets))
      : solved(matrix.transposeApplied(toRows: targets))
  }

  /// W·x `[k, m]` for every row y of `[k, m]`: a projection on the columns of W, but for the ridge.
  /// - Complexity: O(m·n·k), for a wide matrix O(m²·k)
  package func fitted(toRows targets: Tensor) -> Tensor {
    // W·Wᵀ·z = y − λ·z for z = (W·Wᵀ + λI)⁻¹·y.
    isWide
      ? targets.adding(solved(targets), times: -Float(penalty))
      : matrix.applied(toRows: coefficients(ofRows: targets))
  }

  /// (RᵀR)⁻¹·v for every row v.
  private func solved(_ vectors: Tensor) -> Tensor {
    var rows = DoubleMatrix(vectors)
    let order = blasint(factor.columns)
    guard !rows.elements.isEmpty else { return vectors }
    for side in [CblasNoTrans, CblasTrans] {
      unsafe blas.pointee.cblas_dtrsm(
        CblasRowMajor, CblasRight, CblasUpper, side, CblasNonUnit, blasint(rows.rows), order, 1,
        factor.elements, order, &rows.elements, order)
    }
    return rows.tensor
  }
}

extension Tensor {
  /// As `gram`, in single precision.
  fileprivate func singleGram(_ side: Orientation) -> DoubleMatrix {
    let (m, n) = (shape.rows, shape.columns)
    let order = side == .plain ? m : n
    var sums = [Float](repeating: 0, count: order * order)
    unsafe blas.pointee.cblas_ssyrk(
      CblasRowMajor, CblasUpper, side == .plain ? CblasNoTrans : CblasTrans, blasint(order),
      blasint(side == .plain ? n : m), 1, elements, blasint(n), 0, &sums, blasint(order))
    return DoubleMatrix(Tensor([order, order], sums))
  }
}

extension DoubleMatrix {
  /// The upper triangular R with RᵀR equal to the matrix, of which the upper triangle is read, plus
  /// λ·I; nil if that is not positive definite. Below the diagonal stays what was there.
  func choleskyRoot(adding lambda: Double) -> DoubleMatrix? {
    var factor = self
    for i in 0..<rows { factor.elements[i * columns + i] += lambda }
    // Column-major LAPACK sees the transpose, whose lower triangle is our upper one.
    let order = Int32(rows)
    let info = unsafe blas.pointee.LAPACKE_dpotrf(
      LAPACK_COL_MAJOR, CChar(UInt8(ascii: "L")), order, &factor.elements, order)
    return info == 0 ? factor : nil
  }
}
