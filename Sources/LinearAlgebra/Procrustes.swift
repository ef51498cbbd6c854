private import CBLAS
private import CKernels
package import Tensors

/// Orthogonal Procrustes problems side by side: for blocks Xᵢ and Yᵢ `[b, c]` of two matrices, rotations
/// Rᵢ with the least ‖Rᵢ·Xᵢ − Yᵢ‖_F.
///
/// All there is to know about a pair are b × b products, which are held in double precision: the error
/// is a difference of energies that nearly cancel where little changes.
///
/// Sources: Schönemann 1966, "A generalized solution of the orthogonal Procrustes problem"; Kabsch 1976
/// for the sign of the determinant.
package struct Procrustes: Sendable {
  /// Rows of a block.
  let extent: Int
  /// Yᵢ·Xᵢᵀ
  let crosses: [DoubleMatrix]
  /// Xᵢ·Xᵢᵀ, both triangles.
  let grams: [DoubleMatrix]
  /// ‖y‖² of every row of Yᵢ.
  let targetEnergies: [[Double]]

  /// - Parameters:
  ///   - source: X, the blocks below each other: `[n·b, c]`; any tensor counts as its matrix.
  ///   - target: Y, of the same shape.
  ///   - extent: b, which divides the rows.
  /// - Complexity: O(n·b²·c)
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`
  package init(
    rotating source: Tensor, to target: Tensor, extent: Int
  ) throws(LinearAlgebraError) {
    precondition(
      source.shape == target.shape && extent > 0 && source.shape.rows % extent == 0,
      "rotating \(source.shape) to \(target.shape) by blocks of \(extent)")
    _ = try source.checked(for: .procrustes)
    _ = try target.checked(for: .procrustes)
    var crosses: [DoubleMatrix] = []
    var grams: [DoubleMatrix] = []
    var energies: [[Double]] = []
    for start in stride(from: 0, to: source.shape.rows, by: extent) {
      let x = source.rows(start..<start + extent)
      let y = DoubleMatrix(target.rows(start..<start + extent))
      crosses.append(x.multiplied(from: y, .transposed))
      var gram = x.gram(.plain)
      for i in 0..<extent {
        for j in 0..<i { gram.elements[i * extent + j] = gram.elements[j * extent + i] }
      }
      grams.append(gram)
      energies.append(y.rowEnergies())
    }
    self.extent = extent
    self.crosses = crosses
    self.grams = grams
    targetEnergies = energies
  }

  /// The best rotations, `[n, b, b]`, determinant +1; of several that are equally good those nearest
  /// to the identity.
  /// - Complexity: O(n·b³)
  /// - Throws: `LinearAlgebraError.notConverged`
  package func rotations() throws(LinearAlgebraError) -> Tensor {
    var rotations: [Float] = []
    rotations.reserveCapacity(crosses.count * extent * extent)
    for cross in crosses {
      rotations += try Self.checked(cross.nearestRotation(), cross).elements.map { Float($0) }
    }
    return Tensor([crosses.count, extent, extent], rotations)
  }

  /// Σ ‖Rᵢ·Xᵢ − Yᵢ‖² for the best rotations, from singular values alone.
  /// - Complexity: O(n·b³)
  /// - Throws: `LinearAlgebraError.notConverged`
  package func squaredError() throws(LinearAlgebraError) -> Double {
    var sum = 0.0
    for (i, cross) in crosses.enumerated() {
      let gain = try Self.checked(cross.rotationGain(), cross)
      let energy = grams[i].trace + targetEnergies[i].reduce(0, +)
      sum += max(energy - 2 * gain, 0)
    }
    return sum
  }

  static func checked<Value>(
    _ value: Value?, _ matrix: DoubleMatrix
  ) throws(LinearAlgebraError) -> Value {
    guard let value else {
      throw .notConverged(.procrustes, [matrix.rows, matrix.columns])
    }
    return value
  }
}

extension Tensor {
  /// The rotation nearest to each of `[n, b, b]`: the one with the largest inner product.
  ///
  /// For M = Y·Xᵀ it is the best rotation of X to Y, see `Procrustes`.
  /// - Complexity: O(n·b³)
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`, `.notConverged`
  package func nearestRotations() throws(LinearAlgebraError) -> Tensor {
    _ = try checked(for: .procrustes)
    let extent = shape.dimensions.last ?? 0
    var result = self
    for start in stride(from: 0, to: count, by: max(extent * extent, 1)) {
      let block = DoubleMatrix(
        Tensor([extent, extent], Array(elements[start..<start + extent * extent])))
      let rotation = try Procrustes.checked(block.nearestRotation(), block)
      for i in rotation.elements.indices {
        result.elements[start + i] = Float(rotation.elements[i])
      }
    }
    return result
  }
}

extension DoubleMatrix {
  /// U·diag(1, …, 1, ±1)·Vᵀ of the matrix U·Σ·Vᵀ, with determinant +1; nil without convergence.
  ///
  /// Newton's iteration for the polar decomposition where it tells the rotation (Higham 1986, "Computing the polar
  /// decomposition, with applications"), which is most often; else the SVD. There a trace of the identity is added, so
  /// that what a singular matrix leaves open is not turned: it costs 1e-8 of an angle, and the square of that of what
  /// the rotation gains.
  func nearestRotation() -> DoubleMatrix? { polarRotation() ?? decomposedRotation() }

  /// nil where the determinant is not positive, or the condition not below 1e6.
  private func polarRotation() -> DoubleMatrix? {
    var rotation = DoubleMatrix(zeros: rows, rows)
    var pivots = [Int](repeating: 0, count: rows)
    var scratch = [Double](repeating: 0, count: rows * rows)
    let isFound = unsafe lyco_nearest_rotation(
      elements, rows, &rotation.elements, &scratch, &pivots)
    return isFound == 1 ? rotation : nil
  }

  private func decomposedRotation() -> DoubleMatrix? {
    let n = rows
    let norm = elements.reduce(0) { $0 + $1 * $1 }.squareRoot()
    var matrix = self
    for i in 0..<n { matrix.elements[i * n + i] += norm > 0 ? 1e-8 * norm : 1 }
    // Column-major LAPACK sees the transpose, whose nearest rotation is the transpose of ours.
    var s = [Double](repeating: 0, count: n)
    var u = DoubleMatrix(zeros: n, n)
    var vt = DoubleMatrix(zeros: n, n)
    let order = Int32(n)
    guard
      unsafe blas.pointee.LAPACKE_dgesdd(
        LAPACK_COL_MAJOR, CChar(UInt8(ascii: "A")), order, order, &matrix.elements, order, &s,
        &u.elements, order, &vt.elements, order) == 0
    else { return nil }
    // (U·Vᵀ)ᵀ, column-major, is V·Uᵀ of the row-major factors.
    var rotation = vt.matmul(u)
    if rotation.hasNegativeDeterminant {
      for j in 0..<n { u.elements[(n - 1) * n + j].negate() }
      rotation = vt.matmul(u)
    }
    return rotation
  }

  /// The inner product with the nearest rotation: the sum of the singular values, the smallest of them
  /// negative where the determinant is; nil without convergence.
  func rotationGain() -> Double? {
    if let rotation = polarRotation() { return rotation.rowProducts(with: self).reduce(0, +) }
    let order = Int32(rows)
    var matrix = elements
    var s = [Double](repeating: 0, count: rows)
    guard
      unsafe blas.pointee.LAPACKE_dgesdd(
        LAPACK_COL_MAJOR, CChar(UInt8(ascii: "N")), order, order, &matrix, order, &s, nil, order,
        nil, order) == 0
    else { return nil }
    let sum = s.reduce(0, +)
    return hasNegativeDeterminant ? sum - 2 * (s.last ?? 0) : sum
  }

  /// By LU decomposition.
  private var hasNegativeDeterminant: Bool {
    let order = Int32(rows)
    var matrix = elements
    var pivots = [Int32](repeating: 0, count: rows)
    _ = unsafe blas.pointee.LAPACKE_dgetrf(LAPACK_COL_MAJOR, order, order, &matrix, order, &pivots)
    var isNegative = false
    for i in 0..<rows {
      if pivots[i] != Int32(i + 1) { isNegative.toggle() }
      if matrix[i * rows + i] < 0 { isNegative.toggle() }
    }
    return isNegative
  }

  /// The sum of the diagonal of a square matrix.
  var trace: Double { (0..<rows).reduce(0) { $0 + elements[$1 * columns + $1] } }

  /// The squared norm of every row.
  func rowEnergies() -> [Double] { rowProducts(with: self) }

  /// The inner products of rows of equal place.
  func rowProducts(with other: DoubleMatrix) -> [Double] {
    (0..<rows).map { row in
      var sum = 0.0
      for i in row * columns..<(row + 1) * columns { sum += elements[i] * other.elements[i] }
      return sum
    }
  }
}
