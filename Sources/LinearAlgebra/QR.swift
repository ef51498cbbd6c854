private import CBLAS
package import Tensors

extension Tensor {
  /// The thin QR decomposition A = Q·R by Householder reflections, for k = min(m, n).
  ///
  /// Q `[m, k]` has orthonormal columns, also where A has not full rank; R `[k, n]` is upper
  /// triangular with a diagonal that is not negative, which makes the result unique for full rank.
  /// - Complexity: O(m·n·k)
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`
  package func qr() throws(LinearAlgebraError) -> (q: Tensor, r: Tensor) {
    let (m, n) = try checked(for: .qr)
    let k = min(m, n)
    let (rows, columns, rank) = (Int(m), Int(n), Int(k))
    guard k > 0 else { return (Tensor(zeros: [rows, 0]), Tensor(zeros: [0, columns])) }
    var a = elements
    var tau = [Float](repeating: 0, count: rank)
    // The arguments are checked above, so that what can fail is an allocation inside LAPACKE.
    guard unsafe blas.pointee.LAPACKE_sgeqrf(LAPACK_ROW_MAJOR, m, n, &a, n, &tau) == 0 else {
      throw .tooLarge(.qr, shape)
    }
    var r = Tensor(zeros: [rank, columns])
    for i in 0..<rank {
      for j in i..<columns { r.elements[i * columns + j] = a[i * columns + j] }
    }
    var q = Tensor(zeros: [rows, rank])
    for i in 0..<rows {
      for j in 0..<rank { q.elements[i * rank + j] = a[i * columns + j] }
    }
    guard unsafe blas.pointee.LAPACKE_sorgqr(LAPACK_ROW_MAJOR, m, k, k, &q.elements, k, tau) == 0
    else {
      throw .tooLarge(.qr, shape)
    }
    for j in 0..<rank where r.elements[j * columns + j] < 0 {
      for i in 0..<columns { r.elements[j * columns + i].negate() }
      for i in 0..<rows { q.elements[i * rank + j].negate() }
    }
    return (q, r)
  }
}
