private import CBLAS
package import Tensors

/// Operations on `[n, b, c]`, n matrices one after another.
extension Tensor {
  package func blockMatmul(_ other: Tensor) -> Tensor { blockProduct(other, .plain) }

  /// The products of n pairs of matrices, the second of each transposed: `[n, a, b] · [n, c, b]ᵀ`.
  package func blockMatmulTransposed(_ other: Tensor) -> Tensor { blockProduct(other, .transposed) }

  private func blockProduct(_ other: Tensor, _ orientation: Orientation) -> Tensor {
    let (left, right) = (shape.dimensions, other.shape.dimensions)
    let (inner, outer) = orientation == .plain ? (1, 2) : (2, 1)
    precondition(
      left.count == 3 && right.count == 3 && left[0] == right[0] && left[2] == right[inner],
      "block product of \(shape) and \(other.shape) \(orientation)")
    let (n, a, b, c) = (left[0], left[1], left[2], right[outer])
    guard n * a * b * c > 0 else { return Tensor(zeros: [n, a, c]) }
    return unsafe Tensor(uninitialized: [n, a, c]) { target in
      unsafe elements.withUnsafeBufferPointer { x in
        unsafe other.elements.withUnsafeBufferPointer { y in
          guard let x = x.baseAddress, let y = y.baseAddress, let z = target.baseAddress else {
            return
          }
          for i in 0..<n {
            unsafe blas.pointee.cblas_sgemm(
              CblasRowMajor, CblasNoTrans, orientation.flag, blasint(a), blasint(c), blasint(b), 1,
              x + i * a * b, blasint(b), y + i * b * c, blasint(right[2]), 0, z + i * a * c,
              blasint(c))
          }
        }
      }
    }
  }

  package consuming func addingDiagonal(_ value: Float) -> Tensor {
    let (blocks, n) = squareBlocks
    var sum = self
    for block in 0..<blocks {
      for i in 0..<n { sum.elements[(block * n + i) * n + i] += value }
    }
    return sum
  }

  /// The inverse of a square matrix, or of each of `[n, b, b]`. Every element of one that has no
  /// inverse, or an element that is not finite, is NaN, so that one check of the end result finds it;
  /// `solve` tells why.
  /// - Complexity: O(n·b³)
  package func inverse() -> Tensor {
    let (blocks, n) = squareBlocks
    var result: [Float] = []
    result.reserveCapacity(count)
    for block in 0..<blocks {
      let part = Tensor([n, n], Array(elements[block * n * n..<(block + 1) * n * n]))
      do {
        result += try part.solve(Tensor(identity: n)).elements
      } catch {
        result += [Float](repeating: .nan, count: n * n)
      }
    }
    return Tensor(shape, result)
  }

  private var squareBlocks: (count: Int, extent: Int) {
    let extents = shape.dimensions
    precondition(
      (2...3).contains(extents.count) && extents[extents.count - 1] == extents[extents.count - 2],
      "square matrices, not \(shape)")
    return (extents.count == 3 ? extents[0] : 1, extents[extents.count - 1])
  }
}
