import LinearAlgebra
package import Tensors

extension Adapter {
  /// The change as a product of low rank, exact but for rounding; nil where there is none: beside a
  /// sparse residual or a magnitude of DoRA, and for changes that are stored whole or depend on the
  /// weight.
  /// - Throws: `AdapterError` where a factor is missing, `LinearAlgebraError` where one is not finite.
  package func lowRankChange(for weight: Shape) throws -> LowRankChange? {
    guard decomposition == nil, let algorithm = algorithm as? any LowRankAlgorithm.Type else {
      return nil
    }
    return try algorithm.lowRankChange(of: factors, for: weight)
  }

  /// What the adapter makes of a weight, as a change of it: W' − W at multiplier 1, in f32.
  /// - Throws: `AdapterError` where a factor is missing.
  package func change(of base: Tensor) throws(AdapterError) -> WeightChange {
    if isAdditive {
      let delta = try adapt(weight: Tensor(zeros: base.shape), multiplier: 1)
      return WeightChange(delta, base: base)
    }
    var delta = try adapt(weight: base, multiplier: 1)
    delta.subtract(base)
    return WeightChange(delta, base: base)
  }

  /// Whether a conversion needs the weights that the adapter is for, beyond their shapes.
  package func needsBase(for algorithm: any ExtractableAlgorithm.Type) -> Bool {
    !isAdditive || algorithm.needsBase
  }

  /// The change in the factors of another algorithm, with the error that they leave.
  ///
  /// To LoRA exactly, or at the nearest of a lower rank, from the factors alone where the algorithm
  /// allows it (`LowRankAlgorithm`); anything else by way of the change multiplied out, as an
  /// extraction finds it. The change of the bias is left to the caller.
  /// - Parameter base: the weight; only its shape matters unless `needsBase`.
  /// - Throws: `AdapterError` where a factor is missing; `LinearAlgebraError` where a number is not
  ///   finite or LAPACK does not converge.
  package func converted(
    to target: any ExtractableAlgorithm.Type, of base: Tensor, policy: RankPolicy,
    settings: FactorizationSettings
  ) throws -> Factorization {
    if target == LoRA.self, !settings.tucker, settings.residualSparsity == nil,
      let product = try lowRankChange(for: base.shape)
    {
      return try product.resized(policy, settings: settings)
    }
    return try target.factorize(try change(of: base), policy: policy, settings: settings)
  }
}
