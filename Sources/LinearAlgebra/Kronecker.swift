package import Tensors

extension Tensor {
  /// self ← self + factor · a ⊗ b, in place, where `(a ⊗ b)[i·p + k, j·q + l] = a[i, j] · b[k, l]`
  /// for b `[p, q]`; any tensor counts as its matrix.
  ///
  /// Row-major, the rows of b lie side by side in every row of the product, so that a kernel of b
  /// stays where it is: `[a, b]` with `[c, d, k, k]` gives the weight `[a·c, b·d, k, k]` of LoKr.
  /// - Precondition: self has the rows and columns of the product.
  /// - Complexity: O(`count`)
  package mutating func addKronecker(_ a: Tensor, _ b: Tensor, times factor: Float = 1) {
    let (m, n) = (a.shape.rows, a.shape.columns)
    let (p, q) = (b.shape.rows, b.shape.columns)
    precondition(
      shape.rows == m * p && shape.columns == n * q,
      "adding \(a.shape) ⊗ \(b.shape) to \(shape)")
    unsafe elements.withUnsafeMutableBufferPointer { target in
      unsafe b.elements.withUnsafeBufferPointer { source in
        guard let target = target.baseAddress, let source = source.baseAddress else { return }
        for i in 0..<m {
          for k in 0..<p {
            let line = unsafe target + (i * p + k) * n * q
            let row = unsafe source + k * q
            for j in 0..<n {
              let weight = factor * a.elements[i * n + j]
              let start = unsafe line + j * q
              for l in 0..<q { unsafe start[l] += weight * row[l] }
            }
          }
        }
      }
    }
  }

  /// a ⊗ b as a matrix.
  package func kronecker(_ other: Tensor) -> Tensor {
    var product = Tensor(
      zeros: [shape.rows * other.shape.rows, shape.columns * other.shape.columns])
    product.addKronecker(self, other)
    return product
  }
}
