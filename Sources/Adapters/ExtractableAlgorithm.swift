package import LinearAlgebra
package import Tensors

/// An algorithm into which the change of a weight can be turned.
package protocol ExtractableAlgorithm: AdapterAlgorithm {
  /// Whether the base weight is needed besides its change.
  static var needsBase: Bool { get }

  /// The best factors for a change that the method of the algorithm finds, at the rank that the policy
  /// chooses; policies have no meaning for an algorithm without a rank.
  /// - Throws: `LinearAlgebraError` if the change is not finite or LAPACK does not converge.
  static func factorize(
    _ change: WeightChange, policy: RankPolicy, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization

  /// Whether `factorize` asks for no more of a change than its leading triplets, but for rare changes.
  static func readsPanels(_ settings: FactorizationSettings) -> Bool

  /// What the algorithm could store for a change, with the error that each form leaves: estimates that
  /// `factorize` reaches or stays below.
  /// - Parameter depth: the highest rank that is of interest.
  /// - Throws: as `factorize`.
  static func options(
    for change: WeightChange, depth: Int, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> [ExtractionOption]

  /// What share of ‖Δ‖² any of the options takes away at most, as a sample of the change tells it, which
  /// has less to fit and so leaves less; 1 where nothing is known, or finding out is no cheaper than
  /// the options.
  /// - Throws: as `options`.
  static func sampledShare(
    of change: WeightChange, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Double

  /// Bytes that every option takes at least, so that none is looked for where something smaller does; 0 where that is
  /// not known.
  static func leastBytes(for weight: Shape, settings: FactorizationSettings) -> Int

  /// How `factorize`, which knows no metric, is brought to make the error of outputs small; nil where it cannot.
  static var weighing: OutputWeighing? { get }
}

extension ExtractableAlgorithm {
  package static var weighing: OutputWeighing? { nil }

  package static func sampledShare(
    of change: WeightChange, settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Double { 1 }
}

extension ExtractableAlgorithm {
  package static func leastBytes(for weight: Shape, settings: FactorizationSettings) -> Int { 0 }
}

extension ExtractableAlgorithm {
  package static func readsPanels(_ settings: FactorizationSettings) -> Bool { false }
}

/// One form in which an algorithm could store a change.
package struct ExtractionOption: Sendable {
  package let algorithm: any ExtractableAlgorithm.Type
  /// What to ask `factorize` for.
  package let policy: RankPolicy
  package let settings: FactorizationSettings
  /// Tensors that would be stored in the format of the settings, but for `on_input`, which is I64, and
  /// for alpha and the norms and factors of rows, which are F32.
  package let tensors: [(suffix: String, shape: Shape)]
  /// ‖Δ − Δ'‖²_F before rounding to the stored format.
  package let squaredError: Double

  package init(
    _ algorithm: any ExtractableAlgorithm.Type, _ policy: RankPolicy,
    _ settings: FactorizationSettings, storing tensors: [(suffix: String, shape: Shape)],
    squaredError: Double
  ) {
    self.algorithm = algorithm
    self.policy = policy
    self.settings = settings
    self.tensors = tensors
    self.squaredError = squaredError
  }

  /// Bytes of the tensors, without their entries in the header.
  package var byteCount: Int {
    tensors.reduce(0) { sum, tensor in
      let dtype: DType =
        switch tensor.suffix {
        case alphaSuffix.name, WeightDecomposition<Tensor>.suffix.name, Rotation.rescale: .f32
        case IA3.side: .i64
        default: settings.storage
        }
      return sum + tensor.shape.count * dtype.bitsPerElement / 8
    }
  }
}

extension Factorization {
  /// From tensors as they will be stored, with the error measured on what a reader makes of them.
  /// - Precondition: the change has its base, unless the algorithm only adds.
  package init(
    measuring factors: [Factor], of algorithm: any AdapterAlgorithm.Type, rank: Int?,
    for change: WeightChange, iterations: Int? = nil, detail: String? = nil
  ) {
    let (squaredError, weights) = Self.squaredError(of: factors, algorithm, for: change)
    self.init(
      algorithm: algorithm.name, factors: factors, rank: rank, energy: change.energy,
      squaredError: squaredError, iterations: iterations, detail: detail)
    if change.metric != nil {
      self.weights = WeightError(energy: change.weightEnergy, squaredError: weights)
    }
  }

  /// ‖W' − tuned‖²_F of stored tensors, and the same of the weights where a metric measures it.
  private static func squaredError(
    of factors: [Factor], _ algorithm: any AdapterAlgorithm.Type, for change: WeightChange
  ) -> (measured: Double, weights: Double) {
    let (found, wanted) = adapted(factors, algorithm, for: change)
    let weights = found.squaredDistance(to: wanted)
    return (change.metric?.energy(of: found.adding(wanted, times: -1)) ?? weights, weights)
  }

  /// What a reader makes of stored tensors, and what it should be: both weights, or changes of them.
  private static func adapted(
    _ factors: [Factor], _ algorithm: any AdapterAlgorithm.Type, for change: WeightChange
  ) -> (found: Tensor, wanted: Tensor) {
    var tensors: [String: Tensor] = [:]
    for factor in factors { tensors[factor.suffix] = factor.tensor.decoded() }
    let alpha = tensors.removeValue(forKey: alphaSuffix.name)?.elements.first
    do throws(AdapterError) {
      let adapter = try Adapter(algorithm, tensors, alpha: alpha, for: change.shape)
      if adapter.isAdditive {
        return (
          try adapter.adapt(weight: Tensor(zeros: change.shape), multiplier: 1), change.delta
        )
      }
      return (try adapter.adapt(weight: change.base, multiplier: 1), change.tuned)
    } catch {
      preconditionFailure("\(algorithm.name) stored what it cannot read: \(error)")
    }
  }
}
