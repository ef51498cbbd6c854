private import CBLAS

/// target[j, i] ← source[i, j] for a matrix `[rows, columns]` and the lengths of both's rows.
func copyTransposed(
  _ rows: Int, _ columns: Int, _ source: UnsafePointer<Float>, _ sourceStride: Int,
  _ target: UnsafeMutablePointer<Float>, _ targetStride: Int
) {
  unsafe blas.pointee.cblas_somatcopy(
    CblasRowMajor, CblasTrans, blasint(rows), blasint(columns), 1, source, blasint(sourceStride),
    target, blasint(targetStride))
}
