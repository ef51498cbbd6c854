package import Tensors

/// The adaptation of one module, decoded and ready to be applied.
package struct Adapter: Sendable {
  package let algorithm: any AdapterAlgorithm.Type
  package let factors: Factors<Tensor>
  /// The change of the bias, as factors of `Full`.
  package let bias: Factors<Tensor>?

  package init(
    algorithm: any AdapterAlgorithm.Type, factors: Factors<Tensor>, bias: Factors<Tensor>? = nil
  ) {
    self.algorithm = algorithm
    self.factors = factors
    self.bias = bias
  }

  /// The adapter for a range of rows of weight and bias; nil where rows depend on each other.
  package func restricted(toRows rows: Range<Int>) -> Adapter? {
    guard let suffixes = algorithm.rowSuffixes else { return nil }
    return Adapter(
      algorithm: algorithm, factors: factors.restricting(suffixes, toRows: rows),
      bias: bias?.restricting(Full.rowSuffixes ?? [], toRows: rows))
  }

  /// W' for a base weight, in f32.
  package func adapt(
    weight base: consuming Tensor, multiplier: Float
  ) throws(AdapterError) -> Tensor {
    try algorithm.adaptedWeight(base, factors, multiplier: multiplier)
  }

  /// b' for a base bias, in f32.
  package func adapt(bias base: consuming Tensor, multiplier: Float) throws(AdapterError) -> Tensor
  {
    guard let bias else { return base }
    return try Full.adaptedWeight(base, bias, multiplier: multiplier)
  }
}
