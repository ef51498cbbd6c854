private import CBLAS
import CKernels
package import Tensors

/// Products of a matrix with few vectors, which lie as rows: the matrix is read once, where it lies,
/// and stays in the cache for all of them, where BLAS would pack it anew.
extension Tensor {
  /// A·v of the matrix A `[m, n]` for every row v of `[k, n]`: `[k, m]`.
  /// - Complexity: O(m·n·k), for k rounded up to a multiple of 16 but for one vector.
  package func applied(toRows vectors: Tensor) -> Tensor {
    let (m, n, count) = (shape.rows, shape.columns, vectors.shape.rows)
    precondition(vectors.shape.columns == n, "\(shape) applied to rows of \(vectors.shape)")
    guard count > 1 else { return applied(to: vectors, CblasNoTrans, [count, m]) }
    let sources = vectors.interleaved()
    let step = stripRows
    var products = [Float](repeating: 0, count: min(step, m) * Self.group)
    return unsafe Tensor(uninitialized: [count, m]) { target in
      guard let target = target.baseAddress else { return }
      for from in stride(from: 0, to: m, by: step) {
        let height = min(step, m - from)
        unsafe elements.withUnsafeBufferPointer { a in
          guard let a = a.baseAddress else { return }
          for first in stride(from: 0, to: count, by: Self.group) {
            for i in 0..<height * Self.group { products[i] = 0 }
            unsafe sources.withUnsafeBufferPointer { sources in
              guard let sources = sources.baseAddress else { return }
              unsafe lyco_add_thin_product(
                a + from * n, n, 1, sources + first * n, &products, height, n)
            }
            unsafe copyTransposed(
              height, min(Self.group, count - first), products, Self.group,
              target + first * m + from, m)
          }
        }
      }
    }
  }

  /// Aᵀ·v of the matrix A `[m, n]` for every row v of `[k, m]`: `[k, n]`.
  /// - Complexity: O(m·n·k), for k rounded up to a multiple of 16 but for one vector.
  package func transposeApplied(toRows vectors: Tensor) -> Tensor {
    let (m, n, count) = (shape.rows, shape.columns, vectors.shape.rows)
    precondition(vectors.shape.columns == m, "\(shape)ᵀ applied to rows of \(vectors.shape)")
    guard count > 1 else { return applied(to: vectors, CblasTrans, [count, n]) }
    let sources = vectors.interleaved()
    let step = stripRows
    var sums = [Float](repeating: 0, count: sources.count / max(m, 1) * n)
    unsafe elements.withUnsafeBufferPointer { a in
      unsafe sources.withUnsafeBufferPointer { sources in
        unsafe sums.withUnsafeMutableBufferPointer { sums in
          guard let a = a.baseAddress, let sources = sources.baseAddress,
            let sums = sums.baseAddress
          else { return }
          for from in stride(from: 0, to: m, by: step) {
            for first in stride(from: 0, to: count, by: Self.group) {
              unsafe lyco_add_thin_product(
                a + from * n, 1, n, sources + first * m + from * Self.group, sums + first * n, n,
                min(step, m - from))
            }
          }
        }
      }
    }
    return unsafe Tensor(uninitialized: [count, n]) { target in
      guard let target = target.baseAddress else { return }
      unsafe sums.withUnsafeBufferPointer { sums in
        guard let sums = sums.baseAddress else { return }
        for first in stride(from: 0, to: count, by: Self.group) {
          unsafe copyTransposed(
            n, min(Self.group, count - first), sums + first * n, Self.group, target + first * n, n)
        }
      }
    }
  }

  /// Vectors multiplied at a time.
  private static let group = Int(LYCO_THIN_COLUMNS)

  /// Rows that stay in the second-level cache: 640 KB of them.
  private var stripRows: Int { max(48, 160 * 1024 / max(shape.columns, 1) / 48 * 48) }

  /// Rows `[k, n]` by groups of 16 as `[n, 16]` each, zeros where there are no more.
  private func interleaved() -> [Float] {
    let (count, n, group) = (shape.rows, shape.columns, Self.group)
    var result = [Float](repeating: 0, count: (count + group - 1) / group * group * n)
    unsafe elements.withUnsafeBufferPointer { source in
      unsafe result.withUnsafeMutableBufferPointer { target in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        for first in stride(from: 0, to: count, by: group) {
          unsafe copyTransposed(
            min(group, count - first), n, source + first * n, n, target + first * n, group)
        }
      }
    }
    return result
  }

  /// The product with one vector, or with none.
  private func applied(
    to vector: Tensor, _ transposition: CBLAS_TRANSPOSE, _ result: Shape
  ) -> Tensor {
    guard count > 0, result.count > 0 else { return Tensor(zeros: result) }
    let (m, n) = (blasint(shape.rows), blasint(shape.columns))
    return unsafe Tensor(uninitialized: result) { target in
      unsafe blas.pointee.cblas_sgemv(
        CblasRowMajor, transposition, m, n, 1, elements, n, vector.elements, 1, 0,
        target.baseAddress, 1)
    }
  }
}
