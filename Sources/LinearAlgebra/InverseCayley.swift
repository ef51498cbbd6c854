private import CBLAS
package import Tensors

extension Tensor {
  /// The skew-symmetric Q of every rotation R of `[n, b, b]`: R = (I + Q)(I − Q)⁻¹, so that
  /// Q = (R − I)(R + I)⁻¹ (Cayley 1846).
  ///
  /// Q turns a plane by 2·atan(t) where it holds t; half a turn has no finite t. Planes beyond `limit`
  /// are turned by 2·atan(limit) instead.
  /// - Complexity: O(n·b³)
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`, `.notConverged`
  package func inverseCayley(limit: Double) throws(LinearAlgebraError) -> Tensor {
    _ = try checked(for: .inverseCayley)
    let extent = shape.dimensions.last ?? 0
    var result = self
    for start in stride(from: 0, to: count, by: max(extent * extent, 1)) {
      let block = DoubleMatrix(
        Tensor([extent, extent], Array(elements[start..<start + extent * extent])))
      guard let skew = block.skewBySolving(limit: limit) ?? block.skewByPlanes(limit: limit) else {
        throw .notConverged(.inverseCayley, [extent, extent])
      }
      for i in skew.elements.indices { result.elements[start + i] = Float(skew.elements[i]) }
    }
    return result
  }
}

extension DoubleMatrix {
  /// Q = I − 2 (R + I)⁻¹; nil where a plane may exceed the limit, or turns so far that R tells it badly.
  fileprivate func skewBySolving(limit: Double) -> DoubleMatrix? {
    let n = rows
    var sum = self
    var inverse = DoubleMatrix(zeros: n, n)
    for i in 0..<n {
      sum.elements[i * n + i] += 1
      inverse.elements[i * n + i] = 1
    }
    var pivots = [Int32](repeating: 0, count: n)
    let order = Int32(n)
    // The inverse of the transpose is the transpose of the inverse: row-major will do.
    guard
      unsafe blas.pointee.LAPACKE_dgesv(
        LAPACK_COL_MAJOR, order, order, &sum.elements, order, &pivots, &inverse.elements, order)
        == 0
    else { return nil }
    // The inverse is (I − Q) / 2, and a plane with t contributes 2·t² to ‖Q‖². R comes rounded to
    // single precision, which beyond some t shows as a part that is not skew-symmetric.
    let most = min(limit, 16)
    let energy = inverse.elements.reduce(0) { $0 + $1 * $1 }
    guard 4 * energy <= Double(n) + 2 * most * most else { return nil }
    var skew = DoubleMatrix(zeros: n, n)
    for i in 0..<n {
      for j in 0..<i {
        // Half the difference with the transpose, which is exactly skew-symmetric.
        let value = inverse.elements[j * n + i] - inverse.elements[i * n + j]
        skew.elements[i * n + j] = value
        skew.elements[j * n + i] = -value
      }
    }
    return skew
  }

  /// Q by the real Schur form Z·T·Zᵀ of a rotation: planes in which it turns, and eigenvalues ±1, of
  /// which those at −1 come in pairs that span planes of half a turn.
  fileprivate func skewByPlanes(limit: Double) -> DoubleMatrix? {
    let n = rows
    let order = Int32(n)
    // Column-major LAPACK sees the transpose, whose Q is the transpose of ours.
    var t = elements
    var z = [Double](repeating: 0, count: n * n)
    var real = [Double](repeating: 0, count: n)
    var imaginary = real
    var sorted: Int32 = 0
    guard
      unsafe blas.pointee.LAPACKE_dgees(
        LAPACK_COL_MAJOR, CChar(UInt8(ascii: "V")), CChar(UInt8(ascii: "N")), nil, order, &t, order,
        &sorted, &real, &imaginary, &z, order) == 0
    else { return nil }
    var skew = DoubleMatrix(zeros: n, n)
    /// Adds tangent · (z_j z_iᵀ − z_i z_jᵀ), column-major.
    func turn(_ i: Int, _ j: Int, _ tangent: Double) {
      for row in 0..<n {
        for column in 0..<n {
          let area = z[j * n + row] * z[i * n + column] - z[i * n + row] * z[j * n + column]
          skew.elements[column * n + row] += tangent * area
        }
      }
    }
    var opposite: Int?
    var i = 0
    while i < n {
      if i + 1 < n, t[i * n + i + 1] != 0 {
        let sine = (t[i * n + i + 1] - t[(i + 1) * n + i]) / 2
        let cosine = (t[i * n + i] + t[(i + 1) * n + i + 1]) / 2
        let tangent = sine == 0 ? 0 : cosine > 0 ? sine / (1 + cosine) : (1 - cosine) / sine
        turn(i, i + 1, min(max(tangent, -limit), limit))
        i += 2
        continue
      }
      if t[i * n + i] < 0 {
        if let first = opposite {
          turn(first, i, limit)
          opposite = nil
        } else {
          opposite = i
        }
      }
      i += 1
    }
    return skew
  }
}
