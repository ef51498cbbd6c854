private import CBLAS
package import Tensors

extension Tensor {
  /// The leading eigenvectors, as orthonormal rows `[count, order]`, of a symmetric positive semidefinite
  /// matrix G `[order, order]` that is known by its products alone.
  ///
  /// By a block Krylov basis as in `randomizedSVD`: it grows until extrapolation says that no more
  /// than the part `tolerance` of what the eigenvectors leave is to be gained. Small matrices, and all by
  /// `SVDMethod.exact`, are multiplied by every unit vector instead.
  /// - Parameters:
  ///   - count: how many, at most `order`.
  ///   - near: vectors from which the search starts, as rows: the eigenvectors of a matrix near to G.
  ///   - energy: what the leading eigenvalues and what they leave sum to.
  ///   - product: G·v for every row v.
  /// - Throws: `LinearAlgebraError.notConverged`, `.notFinite`
  package static func leadingEigenvectors(
    _ count: Int, of order: Int, near start: Tensor? = nil, energy: Double,
    method: SVDMethod = .auto, seed: UInt64 = 0, tolerance: Double = SketchTolerance.usual,
    times product: (Tensor) -> Tensor
  ) throws(LinearAlgebraError) -> Tensor {
    precondition(count <= order, "\(count) eigenvectors of \(order)")
    guard count > 0 else { return Tensor(zeros: [0, order]) }
    let size = (max(count, start?.shape.rows ?? 0) + 15) / 16 * 16
    guard method != .exact, order >= max(128, 6 * count) else {
      let identity = Tensor(identity: order)
      return try ritz(identity, product(identity), count).vectors
    }
    var generator = SeededGenerator(seed: seed)
    var random = Tensor(zeros: [size - (start?.shape.rows ?? 0), order])
    for i in 0..<random.count {
      random.elements[i] = Float(Int64(bitPattern: generator.next()) >> 40)
    }
    var next = start.map { Tensor.stacked([$0, random]) } ?? random
    var (basis, images) = (Tensor(zeros: [0, order]), Tensor(zeros: [0, order]))
    var captured: [Double] = []
    while true {
      next.orthonormalizeRows(against: basis)
      let image = product(next)
      (basis, images) = (.stacked([basis, next]), .stacked([images, image]))
      let found = try ritz(basis, images, count)
      captured.append(found.values.reduce(0, +))
      let rest = max(energy - captured[captured.count - 1], 1e-7 * energy)
      if captured.count >= (start == nil ? 3 : 2),
        gain(after: captured) <= tolerance * rest
          || captured.count == mostBlocks || basis.shape.rows + size > order / 2
      {
        return found.vectors
      }
      next = image
    }
  }

  /// Blocks after which the search ends in any case.
  private static let mostBlocks = 12

  /// What another block may still gain, and those after it: a geometric series from the last two gains.
  private static func gain(after captured: [Double]) -> Double {
    let gains = zip(captured.dropFirst(), captured).map { $0 - $1 }.suffix(2)
    guard let last = gains.last, last > 0 else { return 0 }
    guard gains.count == 2, let previous = gains.first, previous > 0 else { return last }
    let ratio = min(max(last / previous, 0.3), 0.9)
    return last * ratio / (1 - ratio)
  }

  /// The leading eigenpairs of G within an orthonormal basis Q, from Q and Q·G by rows.
  private static func ritz(
    _ basis: Tensor, _ images: Tensor, _ count: Int
  ) throws(LinearAlgebraError) -> (values: [Double], vectors: Tensor) {
    let projected = basis.matmulTransposed(images)
    guard projected.isFinite else { throw .notFinite(.symmetricEigen, projected.shape) }
    guard let pairs = DoubleMatrix(projected).leadingEigenpairs(count) else {
      throw .notConverged(.symmetricEigen, projected.shape)
    }
    return (pairs.values, pairs.vectors.tensor.matmul(basis))
  }

  /// Makes the rows orthonormal and orthogonal to those of a basis, which are orthonormal.
  ///
  /// Householder reflections, because they give orthonormal vectors from dependent ones too; twice
  /// all, because those made of rounding error need not be orthogonal to the basis.
  mutating func orthonormalizeRows(against basis: Tensor) {
    let (count, length) = (Int32(shape.rows), Int32(shape.columns))
    var tau = [Float](repeating: 0, count: shape.rows)
    for _ in 0..<2 {
      if basis.shape.rows > 0 { addProduct(matmulTransposed(basis), basis, times: -1) }
      // Column-major LAPACK sees the transpose: our rows are its columns.
      _ = unsafe blas.pointee.LAPACKE_sgeqrf(
        LAPACK_COL_MAJOR, length, count, &elements, length, &tau)
      _ = unsafe blas.pointee.LAPACKE_sorgqr(
        LAPACK_COL_MAJOR, length, count, count, &elements, length, tau)
    }
  }
}
