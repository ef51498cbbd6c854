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
  /// In turn the factors by least squares and the rotations by majorization, see `RowScaling`. The error never rises; a block is done when a step takes less than 1e-5 of it, or
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
      let scaling = RowScaling(
        products: rotation.rowProducts(with: cross), energies: turned.rowProducts(with: rotation),
        empty: 1)
      let last = error
      error = max(energy - scaling.kept, 0)
      guard iteration < limit, last - error > 1e-5 * error, error > 1e-14 * energy,
        let weights = scaling.majorizer
      else { return (rotation, error, iteration) }
      // Z·Xᵢᵀ, row by row.
      var majorizer = turned
      for p in 0..<extent {
        let (own, toTarget) = (weights.own[p], weights.target[p])
        for i in p * extent..<(p + 1) * extent {
          majorizer.elements[i] = own * turned.elements[i] + toTarget * cross.elements[i]
        }
      }
      rotation = try Self.checked(majorizer.nearestRotation(), cross)
      iteration += 1
    }
  }
}
