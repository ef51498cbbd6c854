package import Tensors

/// Why a factorization has no result.
package enum LinearAlgebraError: Error, Equatable, Sendable {
  /// An element of the matrix is NaN or infinite.
  case notFinite(Operation, Shape)
  /// LAPACK counts in 32 bits and the matrix does not fit.
  case tooLarge(Operation, Shape)
  /// The iteration, and every fallback that there is, did not converge.
  case notConverged(Operation, Shape)
  /// The matrix has no inverse, to working precision.
  case singular(Operation, Shape)

  /// What was asked for.
  package enum Operation: String, Sendable {
    case svd = "singular value decomposition"
    case singularValues = "singular values"
    case truncatedSVD = "truncated singular value decomposition"
    case qr = "QR decomposition"
    case symmetricEigen = "symmetric eigendecomposition"
    case solve = "linear solve"
    case leastSquares = "least squares"
    case cholesky = "Cholesky decomposition"
    case procrustes = "orthogonal Procrustes problem"
    case inverseCayley = "inverse Cayley transform"
  }
}

extension LinearAlgebraError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .notFinite(let operation, let shape):
      "\(operation.rawValue) of \(shape): expected finite numbers, found NaN or infinity"
    case .tooLarge(let operation, let shape):
      "\(operation.rawValue) of \(shape): expected at most \(Int32.max) elements, found \(shape.count)"
    case .notConverged(let operation, let shape):
      "\(operation.rawValue) of \(shape): expected convergence, found none by any method"
    case .singular(let operation, let shape):
      "\(operation.rawValue) with \(shape): expected an invertible matrix, found a singular one"
    }
  }
}

extension Tensor {
  /// The extents as LAPACK takes them.
  ///
  /// - Throws: `.tooLarge` if an index into the matrix does not fit 32 bits, `.notFinite` if an
  ///   element is NaN or infinite.
  func checked(for operation: LinearAlgebraError.Operation)
    throws(LinearAlgebraError) -> (m: Int32, n: Int32)
  {
    _ = try checkedEnergy(for: operation)
    return (Int32(shape.rows), Int32(shape.columns))
  }

  /// ‖A‖²_F, which shows at once whether every element is finite: squares of finite `Float`s are
  /// finite in double precision, and so is any sum of them.
  /// - Parameter known: the same, if it has been computed.
  /// - Throws: as `checked(for:)`.
  func checkedEnergy(
    for operation: LinearAlgebraError.Operation, known: Double? = nil
  ) throws(LinearAlgebraError) -> Double {
    try checkExtents(for: operation)
    let energy = known ?? sumOfSquares
    guard energy.isFinite else { throw .notFinite(operation, shape) }
    return energy
  }
  /// - Throws: `.tooLarge` if an index into the matrix does not fit 32 bits.
  func checkExtents(for operation: LinearAlgebraError.Operation) throws(LinearAlgebraError) {
    guard count <= Int32.max, shape.rows <= Int32.max, shape.columns <= Int32.max else {
      throw .tooLarge(operation, shape)
    }
  }
}
