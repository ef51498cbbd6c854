package import Tensors

extension Full {
  /// The change of a weight stored as it is.
  package static func factorize(
    _ change: WeightChange, _ settings: FactorizationSettings
  ) -> Factorization {
    let found = factorize(change.delta, energy: change.weightEnergy, storage: settings.storage)
    return change.metric == nil ? found : found.measured(for: change)
  }

  /// Stores a delta as it is, under the suffix of the parameter it belongs to.
  ///
  /// In f32 a difference of f32 weights is rounded; with `exactFor` given it is stored as F64
  /// wherever the rounding would keep the base from reaching the tuned value to one ulp.
  /// - Parameter energy: ‖Δ‖²_F where the caller has it.
  package static func factorize(
    _ delta: Tensor, energy: Double? = nil, suffix: String = difference, storage: DType,
    exactFor pair: (base: Tensor, tuned: Tensor)? = nil
  ) -> Factorization {
    var stored = EncodedTensor(delta, as: storage)
    var squaredError = storage == .f32 ? 0 : delta.squaredDistance(to: stored.decoded())
    if let pair, !restores(pair.tuned, from: pair.base, adding: delta) {
      stored = SplitTensor(pair.tuned, minus: pair.base).encoded()
      squaredError = 0
    }
    return Factorization(
      algorithm: suffix == Norm.difference ? Norm.name : name,
      factors: [.init(suffix: suffix, tensor: stored)], rank: nil,
      energy: energy ?? delta.sumOfSquares,
      squaredError: squaredError)
  }

  /// Whether base + delta, in f32, is within one ulp of every tuned value.
  private static func restores(_ tuned: Tensor, from base: Tensor, adding delta: Tensor) -> Bool {
    tuned.elements.indices.allSatisfy {
      let goal = tuned.elements[$0]
      return abs(base.elements[$0] + delta.elements[$0] - goal) <= goal.ulp
    }
  }
}
