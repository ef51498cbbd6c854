import CKernels
package import Tensors

/// Small positive definite systems, one for every row of a tensor, as alternating least squares has
/// them: the normal matrices of all rows come from products of matrices with `pairProducts()`.
extension Tensor {
  /// For every row x of `[k, r]` the lower triangle of x·xᵀ, row by row: `[k, r·(r + 1)/2]`.
  /// - Complexity: O(k·r²)
  package func pairProducts() -> Tensor {
    let (count, width) = (shape.rows, shape.columns)
    let packed = width * (width + 1) / 2
    return unsafe Tensor(uninitialized: [count, packed]) { target in
      unsafe elements.withUnsafeBufferPointer { source in
        var next = 0
        for row in 0..<count {
          let start = row * width
          for i in start..<start + width {
            for j in start...i {
              unsafe target[next] = source[i] * source[j]
              next += 1
            }
          }
        }
      }
    }
  }

  /// (M ⊙ M)·P for M = L·Rᵀ, of L `[m, r]`, R `[n, r]` and P `[n, p]`: `[m, p]`.
  ///
  /// M ⊙ M is the product of the pairs of L and those of R, so that M need not be formed where pairs
  /// are few: what is left is a product of matrices of r² / 2 columns, in double precision.
  /// - Complexity: O((m + n)·r²·p), or O(m·n·p) where that is less.
  package static func squaredProduct(
    _ left: Tensor, _ right: Tensor, times pairs: Tensor
  ) -> Tensor {
    let (m, n, width) = (left.shape.rows, right.shape.rows, left.shape.columns)
    let packed = width * (width + 1) / 2
    guard packed * (m + n) < m * n else {
      let product = left.matmulTransposed(right)
      return (product * product).matmul(pairs)
    }
    var core = DoubleMatrix(right.pairProducts()).matmul(DoubleMatrix(pairs), .transposed)
    // Each pair of different columns stands for two products.
    var row = 0
    for i in 0..<width {
      for j in 0...i {
        if j < i {
          for k in row * core.columns..<(row + 1) * core.columns { core.elements[k] *= 2 }
        }
        row += 1
      }
    }
    return DoubleMatrix(left.pairProducts()).matmul(core).tensor
  }

  /// self ← self + AᵀB for A `[k, m]` and B `[k, n]`, in place.
  /// - Precondition: the matrix is `[m, n]`.
  package mutating func addTransposedProduct(_ a: Tensor, _ b: Tensor) {
    let call = SingleProduct(a, .transposed, b, .plain)
    precondition(
      shape.rows == call.m && shape.columns == call.n,
      "adding \(a.shape)ᵀ · \(b.shape) to \(shape)")
    unsafe elements.withUnsafeMutableBufferPointer { target in
      unsafe call.run(a, b, into: target, adding: true)
    }
  }

  /// X `[k, r]` with (Gᵢ + μᵢ·I)·xᵢ = bᵢ for every row bᵢ of self, by Cholesky decompositions in
  /// double precision. A row whose matrix is not positive definite for all that, as that of zeros,
  /// gets the solution 0.
  /// - Parameters:
  ///   - matrices: Gᵢ as the rows of `[k, r·(r + 1)/2]`, lower triangles as of `pairProducts()`.
  ///   - damping: μᵢ as a part of the mean of the diagonal of Gᵢ.
  /// - Complexity: O(k·r³)
  package func solvingRows(with matrices: Tensor, damping: Double) -> Tensor {
    let (count, width) = (shape.rows, shape.columns)
    let packed = width * (width + 1) / 2
    precondition(
      matrices.shape.rows == count && matrices.shape.columns == packed,
      "systems \(matrices.shape) for rows of \(shape)")
    guard count > 0, width > 0 else { return self }
    var scratch = [Double](
      repeating: 0, count: Int(LYCO_SYSTEM_LANES) * width * (width + 3) / 2)
    return unsafe Tensor(uninitialized: shape) { target in
      guard let target = target.baseAddress else { return }
      unsafe lyco_solve_rows(
        matrices.elements, elements, count, width, damping, &scratch, target)
    }
  }

  /// By how much these solutions x of `solvingRows` lower a sum of squares whose gradient at 0 is −2·b and whose
  /// second derivative is 2·G: Σ 2·⟨b, x⟩ − ⟨x, G·x⟩ = Σ ⟨b, x⟩ + μ‖x‖².
  /// - Parameters:
  ///   - sides: b, as it was solved for.
  ///   - matrices: as there.
  ///   - damping: as there.
  package func gain(of sides: Tensor, with matrices: Tensor, damping: Double) -> Double {
    let (count, width) = (shape.rows, shape.columns)
    let packed = width * (width + 1) / 2
    let (x, b, g) = (elements.span, sides.elements.span, matrices.elements.span)
    var gain = 0.0
    for row in 0..<count {
      var (product, square, trace) = (0.0, 0.0, 0.0)
      for i in 0..<width {
        let value = Double(x[row * width + i])
        product += value * Double(b[row * width + i])
        square += value * value
        trace += Double(g[row * packed + i * (i + 3) / 2])
      }
      gain += product + damping * trace / Double(max(width, 1)) * square
    }
    return gain
  }
}
