package import Tensors

extension Procrustes {
  /// What an iteration found.
  package struct Scaled: Sendable {
    /// `[n, b, b]`, determinant +1.
    package let rotations: Tensor
    /// Σ ‖Dᵢ·Rᵢ·Xᵢ − Yᵢ‖² with the best Dᵢ.
    package let squaredError: Double
    /// The most steps that a block took.
    package let iterations: Int
  }

  /// Rotations for ‖Dᵢ·Rᵢ·Xᵢ − Yᵢ‖_F with a free factor for every row, diagonal Dᵢ.
  ///
  /// In turn the factors by least squares and the rotations by majorization: with X = R·Xᵢ now,
  /// ‖D·R·Xᵢ − Y‖² lies below ‖R·Xᵢ − Z‖² · max d² and a constant, equal at the current R, for
  /// Z = X − D(D·X − Y) / max d² (Kiers 1990, "Majorization as a tool for optimizing a class of matrix
  /// functions"). The error never rises; a block is done when a step takes less than 1e-5 of it, or
  /// when there is no more of it than rounding.
  /// - Complexity: O(n·b³) a step, whatever the columns.
  /// - Throws: `LinearAlgebraError.notConverged`
  package func scaledRotations(
    atMost limit: Int = 200
  ) throws(LinearAlgebraError) -> Scaled {
    var rotations: [Float] = []
    rotations.reserveCapacity(crosses.count * extent * extent)
    var squaredError = 0.0
    var iterations = 0
    for block in crosses.indices {
      let found = try scaledRotation(of: block, atMost: limit)
      rotations += found.rotation.elements.map { Float($0) }
      squaredError += found.squaredError
      iterations = max(iterations, found.iterations)
    }
    return Scaled(
      rotations: Tensor([crosses.count, extent, extent], rotations), squaredError: squaredError,
      iterations: iterations)
  }

  private func scaledRotation(
    of block: Int, atMost limit: Int
  ) throws(LinearAlgebraError) -> (rotation: DoubleMatrix, squaredError: Double, iterations: Int) {
    let (cross, gram) = (crosses[block], grams[block])
    let energy = targetEnergies[block].reduce(0, +)
    var rotation = try Self.checked(cross.nearestRotation(), cross)
    var error = Double.infinity
    var iteration = 0
    while true {
      let turned = rotation.matmul(gram)
      let norms = turned.rowProducts(with: rotation)
      let products = rotation.rowProducts(with: cross)
      let factors = zip(products, norms).map { $1 > 0 ? $0 / $1 : 1 }
      let last = error
      error = max(energy - zip(factors, products).reduce(0) { $0 + $1.0 * $1.1 }, 0)
      let bound = factors.reduce(0) { max($0, $1 * $1) }
      guard iteration < limit, last - error > 1e-5 * error, error > 1e-14 * energy, bound > 0 else {
        return (rotation, error, iteration)
      }
      // Z·Xᵢᵀ, row by row.
      var majorizer = turned
      for p in 0..<extent {
        let (own, toTarget) = (1 - factors[p] * factors[p] / bound, factors[p] / bound)
        for i in p * extent..<(p + 1) * extent {
          majorizer.elements[i] = own * turned.elements[i] + toTarget * cross.elements[i]
        }
      }
      rotation = try Self.checked(majorizer.nearestRotation(), cross)
      iteration += 1
    }
  }
}
