package import LinearAlgebra
package import Tensors

extension LoRA: ExtractableAlgorithm {
  package static var needsBase: Bool { false }

  /// The truncated SVD of Δ·M with M⁻¹ multiplied into down is the best one there is, and mostly found without M; of a
  /// core, kernel and inputs are factors of their own.
  package static let weighing: OutputWeighing? = OutputWeighing(
    direct: .init(
      factorize: { change, policy, settings throws(LinearAlgebraError) in
        try weighedFactorization(of: change, policy: policy, settings: settings)
      },
      options: { change, depth, settings throws(LinearAlgebraError) in
        try weighedOptions(for: change, depth: depth, settings: settings)
      }),
    whiten: { change, _ in WeightChange(change.measured) },
    restore: { factors, metric in
      var factors = factors
      guard let found = factors[down] else { return factors }
      factors[up] = factors[up].map { metric.restoredOutputs($0) }
      if let core = factors[mid] {
        factors[down] = metric.restoredChannels(found)
        factors[mid] = metric.restoredKernel(core)
      } else {
        factors[down] = metric.restoredInputs(found)
        OutputWeighing.balance(up, down, in: &factors)
      }
      return factors
    })

  package static func readsPanels(_ settings: FactorizationSettings) -> Bool {
    !settings.tucker && settings.residualSparsity == nil && settings.magnitudes == nil
  }

  /// The best factors of a delta at the rank that the policy chooses, by truncated SVD (Eckart and
  /// Young 1936): up = U Σ, down = Vᵀ, alpha = rank, as LyCORIS stores them.
  ///
  /// - Throws: `LinearAlgebraError` if the delta is not finite or LAPACK does not converge.
  package static func factorize(
    _ change: WeightChange, policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let matrix = change.shape.asMatrix
    guard policy != .full else {
      return Full.factorize(change, settings)
    }
    let (svd, leading) = try truncated(change, policy, settings)
    let rank = svd.s.count
    let bytes = rank * (matrix.rows + matrix.columns)
    guard !settings.allowsFull || bytes < matrix.count else {
      return Full.factorize(change, settings)
    }
    if settings.tucker,
      let core = try tuckerFactorize(change.delta, change.energy, svd, policy, settings)
    {
      return core
    }
    var found = factorization(of: change, svd, settings)
    if settings.residualSparsity == nil { found.leading = leading }
    // Rounding to the stored format may lift an error that was just below the bound above it.
    if case .error(let bound) = policy, found.relativeError > bound,
      rank < min(settings.maximumRank ?? .max, matrix.rows, matrix.columns)
    {
      return try factorize(change, policy: .fixed(rank + 1), settings: settings)
    }
    return found
  }

  /// One for every rank up to `depth`.
  package static func options(
    for change: WeightChange, depth: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [ExtractionOption] {
    let values =
      settings.method == .exact
      ? try change.matrix.singularValues() : try change.truncatedSVD(rank: depth, settings).s
    return options(
      of: values.prefix(depth), shape: change.shape, energy: change.energy, settings: settings)
  }

  /// One for every rank of which the singular value is known.
  /// - Parameters:
  ///   - values: the leading singular values of a change, descending.
  ///   - energy: ‖Δ‖²_F
  package static func options(
    of values: some Sequence<Float>, shape: Shape, energy: Double, settings: FactorizationSettings
  ) -> [ExtractionOption] {
    var left = energy
    return values.enumerated().map { index, value in
      left -= Double(value) * Double(value)
      let rank = index + 1
      return ExtractionOption(
        LoRA.self, .fixed(rank), settings,
        storing: [
          (up, upShape(rank: rank, for: shape)),
          (down, Shape([rank] + shape.dimensions.dropFirst())), (alphaSuffix.name, []),
        ], squaredError: max(left, 0))
    }
  }

  /// - Returns: the triplets that the policy asks for, and the singular values that were found for that.
  private static func truncated(
    _ change: WeightChange, _ policy: RankPolicy, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> (svd: SVD, leading: [Float]) {
    let matrix = change.shape.asMatrix
    var rank: Int
    var spectrum: [Float]?
    switch policy {
    case .error(let error):
      let svd = try change.truncatedSVD(relativeError: error, settings)
      return (svd, svd.s)
    case .full: rank = min(matrix.rows, matrix.columns)
    case .fixed(let wanted): rank = min(max(wanted, 1), matrix.rows, matrix.columns)
    case .threshold, .ratio, .quantile, .norm:
      let values = try change.matrix.singularValues()
      rank = policy.rank(of: values)
      spectrum = values
    }
    if let cap = settings.maximumRank { rank = min(rank, max(cap, 1)) }
    let svd = try change.truncatedSVD(rank: rank, settings)
    return (svd, spectrum ?? svd.s)
  }

  /// Stores an SVD of the delta as up, down and alpha, and a residual where one is asked for.
  private static func factorization(
    of change: WeightChange, _ svd: SVD, _ settings: FactorizationSettings
  ) -> Factorization {
    let (shape, energy) = (change.shape, change.energy)
    let rank = svd.s.count
    let up = storedUp(svd, as: settings.storage)
    let down = EncodedTensor(svd.vt, as: settings.storage)
    var factors = [
      stored(LoRA.up, up.stored, as: upShape(rank: rank, for: shape)),
      stored(LoRA.down, down, as: Shape([rank] + shape.dimensions.dropFirst())),
      storedAlpha(rank),
    ]
    var squaredError = estimatedError(energy, svd, up: up, down: down)
    if settings.residualSparsity != nil || squaredError < exactBelow * energy {
      var rest = change.matrix
      rest = rest.adding(product: up.stored.decoded(), down.decoded(), times: -1)
      if let sparsity = settings.residualSparsity {
        let residual = SparseResidual(largestOf: rest, sparsity: sparsity)
        let (tensors, kept) = residual.encoded(as: settings.storage)
        factors += tensors
        for (position, value) in zip(residual.positions, kept.elements) {
          rest.elements[position] -= value
        }
      }
      squaredError = rest.sumOfSquares
    }
    return Factorization(
      algorithm: name, factors: factors, rank: rank, energy: energy, squaredError: squaredError)
  }

  /// Below this share of the energy the difference of energies has lost too many digits in f32,
  /// and the residual is formed: 1e-3 relative accuracy of the error needs it.
  private static let exactBelow = 4e-3

  /// ‖Δ − up · down‖²_F without forming the product.
  ///
  /// UΣVᵀ is a projection of Δ, so Pythagoras gives ‖Δ‖² − Σσ² before rounding; the rounding errors
  /// e of U Σ and of Vᵀ add ‖e_up‖² + Σ σᵢ² ‖e_down,i‖², because Vᵀ has orthonormal rows.
  private static func estimatedError(
    _ energy: Double, _ svd: SVD, up: (exact: Tensor, stored: EncodedTensor), down: EncodedTensor
  ) -> Double {
    let kept = svd.s.reduce(0.0) { $0 + Double($1) * Double($1) }
    guard up.stored.dtype != .f32 else { return max(energy - kept, 0) }
    var rounding = up.exact.squaredDistance(to: up.stored.decoded())
    for (sigma, distance) in zip(svd.s, svd.vt.rowSquaredDistances(to: down.decoded())) {
      rounding += Double(sigma) * Double(sigma) * distance
    }
    return max(energy - kept, 0) + rounding
  }

  /// up = U Σ as a matrix, exact and as it is stored.
  static func storedUp(
    _ svd: SVD, as storage: DType
  ) -> (exact: Tensor, stored: EncodedTensor) {
    let scaled = svd.scaledLeft
    return (scaled, EncodedTensor(scaled, as: storage))
  }

  /// The shape of up for a delta: a 1×1 kernel where that has one.
  static func upShape(rank: Int, for delta: Shape) -> Shape {
    Shape([delta.rows, rank] + delta.kernel.map { _ in 1 })
  }

  static func storedAlpha(_ rank: Int) -> Factorization.Factor {
    .init(suffix: alphaSuffix.name, tensor: EncodedTensor(Tensor(scalar: Float(rank)), as: .f32))
  }

  static func stored(
    _ suffix: String, _ tensor: EncodedTensor, as shape: Shape
  ) -> Factorization.Factor {
    .init(suffix: suffix, tensor: tensor.reshaped(shape))
  }
}
