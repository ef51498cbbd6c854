package import Tensors

extension Tensor {
  /// All singular values of the matrix, min(m, n) of them, descending.
  ///
  /// Square roots of the eigenvalues of the Gram matrix of the shorter side, in double precision:
  /// right to single precision down to 1e-4 · σ₀, to 1 % at 1e-7 · σ₀, and noise below 1e-8 · σ₀.
  /// - Complexity: O(m·n·min(m, n))
  /// - Throws: `LinearAlgebraError.notFinite`, `.tooLarge`, `.notConverged`
  package func singularValues() throws(LinearAlgebraError) -> [Float] {
    _ = try checked(for: .singularValues)
    guard let values = gram(shortSide).eigenvalues() else {
      throw .notConverged(.singularValues, shape)
    }
    return values.map { Float(max($0, 0).squareRoot()) }
  }

  /// The leading triplets by the Gram matrix of the shorter side in double precision.
  ///
  /// Its eigenvectors are the vectors of that side; their product with the matrix, in double
  /// precision too, gives the others and the singular values, right to single precision however
  /// small they are as long as the eigenvectors are told apart (1e-8 · σ₀).
  /// - Precondition: the matrix is finite and not empty.
  /// - Complexity: O(m·n·min(m, n))
  /// - Throws: `LinearAlgebraError.notConverged`
  func exactSVD(
    _ goal: TruncationGoal, energy: Double, for operation: LinearAlgebraError.Operation
  ) throws(LinearAlgebraError) -> SVD {
    let gram = gram(shortSide)
    var rank = goal.limit
    if case .relativeError = goal {
      guard let values = gram.eigenvalues() else { throw .notConverged(operation, shape) }
      rank = goal.rank(squares: values, energy: energy) ?? rank
    }
    guard rank > 0 else { return emptySVD }
    guard let (_, basis) = gram.leadingEigenpairs(rank),
      let svd = SVD(basis: basis, product: multiplied(from: basis, shortSide), rank: rank)
    else { throw .notConverged(operation, shape) }
    return shortSide == .plain ? svd : svd.transposed()
  }

  /// Which product with the transpose is the smaller one: A·Aᵀ (`.plain`) or AᵀA (`.transposed`).
  private var shortSide: Orientation { shape.rows <= shape.columns ? .plain : .transposed }
}
