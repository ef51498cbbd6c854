private import CBLAS
package import Tensors

extension Tensor {
  /// The thin SVD of the matrix `[m, n]`: k = min(m, n) triplets.
  ///
  /// LAPACK's divide and conquer (sgesdd); where that does not converge, QR iteration (sgesvd), and
  /// then the Gram matrix of the shorter side in double precision.
  /// - Complexity: O(m·n·k)
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`, `.notConverged`
  package func svd() throws(LinearAlgebraError) -> SVD {
    let (m, n) = try checked(for: .svd)
    guard count > 0 else { return emptySVD }
    if let svd = dividingAndConquering(m, n) ?? iteratingQR(m, n) { return svd }
    return try exactSVD(.rank(Int(min(m, n))), energy: sumOfSquares, for: .svd)
  }

  /// No triplets at all.
  var emptySVD: SVD {
    SVD(u: Tensor(zeros: [shape.rows, 0]), s: [], vt: Tensor(zeros: [0, shape.columns]))
  }

  private func dividingAndConquering(_ m: Int32, _ n: Int32) -> SVD? {
    unsafe thinSVD(m, n) { a, s, u, vt in
      unsafe blas.pointee.LAPACKE_sgesdd(
        LAPACK_COL_MAJOR, CChar(UInt8(ascii: "S")), n, m, a, n, s, vt, n, u, min(m, n))
    }
  }

  private func iteratingQR(_ m: Int32, _ n: Int32) -> SVD? {
    var superdiagonal = [Float](repeating: 0, count: Int(min(m, n)))
    return unsafe thinSVD(m, n) { a, s, u, vt in
      let thin = CChar(UInt8(ascii: "S"))
      return unsafe blas.pointee.LAPACKE_sgesvd(
        LAPACK_COL_MAJOR, thin, thin, n, m, a, n, s, vt, n, u, min(m, n), &superdiagonal)
    }
  }

  /// Runs a column-major factorization, which sees the transpose of a row-major matrix, so that its
  /// left vectors are our right ones and nothing is copied but the matrix it destroys.
  private func thinSVD(
    _ m: Int32, _ n: Int32,
    _ factorize: (
      _ a: UnsafeMutablePointer<Float>, _ s: UnsafeMutablePointer<Float>,
      _ u: UnsafeMutablePointer<Float>, _ vt: UnsafeMutablePointer<Float>
    ) -> Int32
  ) -> SVD? {
    let (rows, columns, k) = (Int(m), Int(n), Int(min(m, n)))
    var a = elements
    var s = [Float](repeating: 0, count: k)
    var u = Tensor(zeros: [rows, k])
    var vt = Tensor(zeros: [k, columns])
    guard unsafe factorize(&a, &s, &u.elements, &vt.elements) == 0 else { return nil }
    return SVD(ut: u.transposed(), s: s, vt: vt)
  }
}
