import CBLAS
import CKernels
package import Tensors

extension Tensor {
  /// A·B: `[m, k] · [k, n]`, without a copy of either operand.
  package func matmul(_ other: Tensor) -> Tensor {
    product(self, .plain, other, .plain)
  }

  /// AᵀB: `[k, m]ᵀ · [k, n]`, without forming the transpose.
  package func transposedMatmul(_ other: Tensor) -> Tensor {
    product(self, .transposed, other, .plain)
  }

  /// ABᵀ: `[m, k] · [n, k]ᵀ`, without forming the transpose.
  package func matmulTransposed(_ other: Tensor) -> Tensor {
    product(self, .plain, other, .transposed)
  }

  /// self ← self + factor · A·B, in place.
  /// - Precondition: A is `[m, k]`, B is `[k, n]` and `shape.asMatrix` is `[m, n]`, so that the
  ///   receiver may be the weight of a convolution.
  package mutating func addProduct(_ a: Tensor, _ b: Tensor, times factor: Float = 1) {
    let call = SingleProduct(a, .plain, b, .plain)
    precondition(
      shape.rows == call.m && shape.columns == call.n,
      "adding \(a.shape) · \(b.shape) to \(shape)")
    unsafe elements.withUnsafeMutableBufferPointer { target in
      unsafe call.run(a, b, into: target, times: factor, adding: true)
    }
  }

  /// self − A·B and its squared norm, by blocks that stay in the second-level cache: where the inner extent is small,
  /// reading and writing a large matrix again for each would take longer than the product.
  /// - Precondition: as that of `addProduct`.
  package func subtracting(product a: Tensor, _ b: Tensor) -> (rest: Tensor, energy: Double) {
    let (rows, width, inner) = (shape.rows, shape.columns, a.shape.columns)
    precondition(
      a.shape.rows == rows && b.shape.rows == inner && b.shape.columns == width,
      "subtracting \(a.shape) · \(b.shape) from \(shape)")
    // BLAS packs its part of B for every block, which is to be high enough for that.
    let most = min(max(width, 1), 2048)
    let step = max(1, Self.cachedCount / most)
    var energy = 0.0
    let rest = unsafe Tensor(uninitialized: shape) { target in
      unsafe elements.withUnsafeBufferPointer { source in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        for first in stride(from: 0, to: rows, by: step) {
          let block = first..<min(first + step, rows)
          for from in stride(from: 0, to: width, by: most) {
            let columns = min(most, width - from)
            for row in block {
              unsafe (target + row * width + from).initialize(
                from: source + row * width + from, count: columns)
            }
            if inner > 0 {
              unsafe a.elements.withUnsafeBufferPointer { a in
                unsafe b.elements.withUnsafeBufferPointer { b in
                  unsafe blas.pointee.cblas_sgemm(
                    CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(block.count),
                    blasint(columns), blasint(inner), -1,
                    a.baseAddress.map { unsafe $0 + first * inner }, blasint(inner),
                    b.baseAddress.map { unsafe $0 + from }, blasint(width), 1,
                    target + first * width + from, blasint(width))
                }
              }
            }
            for row in block {
              unsafe energy += lyco_sum_of_squares(target + row * width + from, columns)
            }
          }
        }
      }
    }
    return (rest, energy)
  }

  /// Numbers of half a megabyte.
  private static let cachedCount = 1 << 17
}

/// Whether a product reads an operand by rows or by columns.
enum Orientation: Sendable {
  case plain, transposed
}

/// The extents and flags of one call of `cblas_sgemm`, row-major.
struct SingleProduct {
  let m, n, k: Int
  private let aColumns, bColumns: Int
  private let a, b: Orientation

  /// op(A)·op(B), any tensor counting as its matrix.
  init(_ left: Tensor, _ a: Orientation, _ right: Tensor, _ b: Orientation) {
    let (rows, inner) =
      a == .plain
      ? (left.shape.rows, left.shape.columns) : (left.shape.columns, left.shape.rows)
    let (otherInner, columns) =
      b == .plain
      ? (right.shape.rows, right.shape.columns) : (right.shape.columns, right.shape.rows)
    precondition(
      inner == otherInner, "matrix product of \(left.shape) \(a) and \(right.shape) \(b)")
    (m, n, k) = (rows, columns, inner)
    (aColumns, bColumns) = (left.shape.columns, right.shape.columns)
    (self.a, self.b) = (a, b)
  }

  /// target ← factor · op(A)·op(B), plus what `target` held if `adding`.
  func run(
    _ left: Tensor, _ right: Tensor, into target: UnsafeMutableBufferPointer<Float>,
    times factor: Float = 1, adding: Bool = false
  ) {
    guard m > 0, n > 0 else { return }
    guard k > 0 else {
      if !adding { unsafe target.update(repeating: 0) }
      return
    }
    unsafe left.elements.withUnsafeBufferPointer { x in
      unsafe right.elements.withUnsafeBufferPointer { y in
        unsafe blas.pointee.cblas_sgemm(
          CblasRowMajor, a.flag, b.flag, blasint(m), blasint(n), blasint(k), factor, x.baseAddress,
          blasint(max(aColumns, 1)), y.baseAddress, blasint(max(bColumns, 1)), adding ? 1 : 0,
          target.baseAddress, blasint(n))
      }
    }
  }
}

extension Orientation {
  /// As BLAS has it.
  var flag: CBLAS_TRANSPOSE { self == .plain ? CblasNoTrans : CblasTrans }
}

private func product(_ a: Tensor, _ x: Orientation, _ b: Tensor, _ y: Orientation) -> Tensor {
  let call = SingleProduct(a, x, b, y)
  return unsafe Tensor(uninitialized: [call.m, call.n]) { unsafe call.run(a, b, into: $0) }
}
