private import CBLAS
package import Tensors

/// Sums over a symmetric matrix of which one triangle is multiplied.
extension Tensor {
  /// ⟨A·C, B⟩ for matrices A and B `[m, n]` and a symmetric C `[n, n]`, of which the lower triangle is read, where it is also
  /// ⟨B·C, A⟩: with C = L + Lᵀ it is 2·⟨A·L, B⟩.
  ///
  /// Any tensors count as runs of n numbers.
  /// - Complexity: O(m·n²), half of a product
  package consuming func innerProduct(under symmetric: Tensor, with other: Tensor) -> Double {
    2 * (consume self).multiplied(byLower: symmetric.withHalfDiagonal()).dot(other)
  }

  /// ⟨G·A, B⟩ for matrices A and B `[m, …]` and a symmetric G `[m, m]`, of which the lower triangle is read, where it is also
  /// ⟨G·B, A⟩.
  /// - Complexity: O(m²·n), half of a product
  package consuming func innerProduct(fromLeftUnder symmetric: Tensor, with other: Tensor) -> Double
  {
    2 * (consume self).multiplied(fromLeftByLower: symmetric.withHalfDiagonal()).dot(other)
  }

  private func withHalfDiagonal() -> Tensor {
    var result = self
    for i in 0..<shape.rows { result.elements[i * (shape.rows + 1)] /= 2 }
    return result
  }

  /// ⟨A, B⟩ of two tensors of as many numbers, summed up in double precision.
  package func dot(_ other: Tensor) -> Double {
    precondition(count == other.count, "\(shape) with \(other.shape)")
    // In parts that a count of 32 bits holds.
    let part = 1 << 20
    return unsafe elements.withUnsafeBufferPointer { x in
      unsafe other.elements.withUnsafeBufferPointer { y in
        guard let x = x.baseAddress, let y = y.baseAddress else { return 0 }
        return stride(from: 0, to: count, by: part).reduce(0) {
          unsafe $0 + blas.pointee.cblas_dsdot(blasint(min(part, count - $1)), x + $1, 1, y + $1, 1)
        }
      }
    }
  }

  /// Whether a square matrix may be one of second moments: finite, symmetric to rounding, no square on its diagonal
  /// negative, and no number beyond what the two squares that belong to it allow. A matrix that is none in another way
  /// shows when it is decomposed.
  /// - Complexity: O(n²), one reading
  package var mayBeMoment: Bool {
    let n = shape.rows
    guard shape.columns == n, isFinite else { return false }
    let roots = (0..<n).map { max(elements[$0 * n + $0], 0).squareRoot() }
    guard (0..<n).allSatisfy({ elements[$0 * n + $0] >= 0 }) else { return false }
    let tile = 64
    let span = elements.span
    for top in stride(from: 0, to: n, by: tile) {
      for left in stride(from: 0, through: top, by: tile) {
        for i in top..<min(top + tile, n) {
          let limit = roots[i] * 1.001
          for j in left..<min(left + tile, i) {
            let (below, above) = (span[i * n + j], span[j * n + i])
            let bound = limit * roots[j]
            if abs(below) > bound || abs(below - above) > bound * 1e-3 { return false }
          }
        }
      }
    }
    return true
  }
}

extension Tensor {
  /// The mean of the diagonal of a square matrix, 0 for none.
  package var meanOfDiagonal: Double {
    let n = shape.rows
    return (0..<n).reduce(0.0) { $0 + Double(elements[$1 * n + $1]) } / Double(max(n, 1))
  }

  /// A square matrix with a share of the mean of its diagonal added to that.
  package func regular(_ ridge: Double) -> Tensor {
    var result = self
    let (n, added) = (shape.rows, Float(ridge * meanOfDiagonal))
    for i in 0..<n { result.elements[i * n + i] += added }
    return result
  }
}
