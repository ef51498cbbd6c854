private import CBLAS
package import Tensors

extension Tensor {
  /// The eigendecomposition of a symmetric matrix, computed in double precision.
  ///
  /// Only the upper triangle is read. `values` descend; column j of `vectors` `[n, n]` is the unit
  /// eigenvector of `values[j]`, its component of largest magnitude positive.
  /// - Precondition: the matrix is square.
  /// - Complexity: O(n³)
  /// - Throws: `LinearAlgebraError.notFinite`, `.notConverged`, `.tooLarge`
  package func symmetricEigen() throws(LinearAlgebraError) -> (values: [Double], vectors: Tensor) {
    precondition(shape.rows == shape.columns, "symmetric eigendecomposition of \(shape)")
    _ = try checked(for: .symmetricEigen)
    guard let (values, vectors) = DoubleMatrix(self).leadingEigenpairs(shape.rows) else {
      throw .notConverged(.symmetricEigen, shape)
    }
    var rows = vectors.tensor
    rows.orientRows()
    return (values, rows.transposed())
  }
}

extension DoubleMatrix {
  /// The `count` largest eigenvalues of a symmetric matrix, descending, and their unit
  /// eigenvectors as the rows of a matrix `[count, n]`; nil if the iteration did not converge.
  /// Only the upper triangle is read.
  ///
  /// All of them by divide and conquer (dsyevd), a part of a large matrix by relatively robust
  /// representations of its tridiagonal form (dsyevr), which leaves out the work for the other
  /// vectors but bisects for the values.
  /// - Complexity: O(n³)
  func leadingEigenpairs(_ count: Int) -> (values: [Double], vectors: DoubleMatrix)? {
    let n = Int32(rows)
    guard n > 0, count > 0 else { return ([], DoubleMatrix(zeros: 0, rows)) }
    var matrix = elements
    var values = [Double](repeating: 0, count: rows)
    var vectors = DoubleMatrix(zeros: count, rows)
    // Column-major LAPACK sees the transpose: our upper triangle is its lower one, and its columns
    // are our rows. It counts upwards, so the rows are taken from the last.
    let lower = CChar(UInt8(ascii: "L"))
    let all = CChar(UInt8(ascii: "V"))
    if count == rows || rows <= 256 {
      guard
        unsafe blas.pointee.LAPACKE_dsyevd(LAPACK_COL_MAJOR, all, lower, n, &matrix, n, &values)
          == 0
      else {
        return nil
      }
      values.removeFirst(rows - count)
      matrix.removeFirst((rows - count) * rows)
    } else {
      var found: Int32 = 0
      var support = [Int32](repeating: 0, count: 2 * count)
      var ascending = [Double](repeating: 0, count: count * rows)
      let info = unsafe blas.pointee.LAPACKE_dsyevr(
        LAPACK_COL_MAJOR, all, CChar(UInt8(ascii: "I")), lower, n, &matrix, n, 0, 0,
        n - Int32(count) + 1, n, 0, &found, &values, &ascending, n, &support)
      guard info == 0, found == count else { return nil }
      matrix = ascending
    }
    for i in 0..<count {
      let from = (count - 1 - i) * rows
      vectors.elements.replaceSubrange(
        i * rows..<(i + 1) * rows, with: matrix[from..<from + rows])
    }
    return (values[..<count].reversed(), vectors)
  }

  /// All pairs of A·v = λ·S·v for a symmetric A and a positive definite S, descending, vectors as rows with vᵀ·S·v = 1; nil
  /// where S is not positive definite, or the iteration did not converge. Only upper triangles are read.
  func eigenpairs(measuredBy measure: DoubleMatrix) -> (values: [Double], vectors: DoubleMatrix)? {
    let n = Int32(rows)
    guard n > 0 else { return ([], self) }
    var (matrix, measure) = (elements, measure.elements)
    var values = [Double](repeating: 0, count: rows)
    guard
      unsafe blas.pointee.LAPACKE_dsygvd(
        LAPACK_COL_MAJOR, 1, CChar(UInt8(ascii: "V")), CChar(UInt8(ascii: "L")), n, &matrix, n,
        &measure, n, &values) == 0
    else { return nil }
    var vectors = DoubleMatrix(zeros: rows, rows)
    for i in 0..<rows {
      let from = (rows - 1 - i) * rows
      vectors.elements.replaceSubrange(
        i * rows..<(i + 1) * rows, with: matrix[from..<from + rows])
    }
    return (values.reversed(), vectors)
  }

  /// All eigenvalues of a symmetric matrix, descending; nil if the iteration did not converge.
  /// Only the upper triangle is read.
  func eigenvalues() -> [Double]? {
    guard rows > 0 else { return [] }
    var matrix = elements
    var values = [Double](repeating: 0, count: rows)
    let info = unsafe blas.pointee.LAPACKE_dsyevd(
      LAPACK_COL_MAJOR, CChar(UInt8(ascii: "N")), CChar(UInt8(ascii: "L")), Int32(rows), &matrix,
      Int32(rows), &values)
    return info == 0 ? values.reversed() : nil
  }
}

extension Tensor {
  /// Negates every row whose component of largest magnitude is negative, and returns which.
  @discardableResult
  mutating func orientRows() -> [Bool] {
    let width = shape.columns
    let isNegated = unsafe elements.withUnsafeBufferPointer { x in
      (0..<shape.rows).map { row in
        guard let x = unsafe x.baseAddress.map({ unsafe $0 + row * width }) else { return false }
        // Magnitudes are in the order of their bits, of which the greatest is found by vectors.
        var most: UInt32 = 0
        for j in 0..<width { most = unsafe max(most, x[j].bitPattern & 0x7fff_ffff) }
        for j in 0..<width where unsafe x[j].bitPattern & 0x7fff_ffff == most {
          return unsafe x[j] < 0
        }
        return false
      }
    }
    negateRows(where: isNegated)
    return isNegated
  }

  /// - Parameter isNegated: for every row.
  mutating func negateRows(where isNegated: [Bool]) {
    let width = shape.columns
    precondition(isNegated.count == shape.rows, "\(isNegated.count) signs of \(shape)")
    unsafe elements.withUnsafeMutableBufferPointer { x in
      for row in isNegated.indices where isNegated[row] {
        for j in row &* width..<(row &+ 1) &* width { unsafe x[j].negate() }
      }
    }
  }
}
