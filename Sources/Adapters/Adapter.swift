import LinearAlgebra
public import Tensors

/// The adaptation of one module, decoded and ready to be applied.
/// ```swift
/// let adapter = try Adapter(
///   recognizing: [
///     "lora_up.weight": Tensor([2, 1], [1, 2]), "lora_down.weight": Tensor([1, 2], [3, 4]),
///     "alpha": Tensor([], [0.5]),
///   ], for: [2, 2])
/// print(adapter.algorithmName)  // lora
/// let adapted = try adapter.adapt(weight: Tensor(zeros: [2, 2]), multiplier: 1)
/// print(adapted.elements)  // [1.5, 2, 3, 4]
/// ```
public struct Adapter: Sendable {
  package let algorithm: any AdapterAlgorithm.Type
  /// In the normal form of the algorithm.
  package let factors: Factors<Tensor>
  /// What DoRA wraps around the algorithm.
  package let decomposition: WeightDecomposition<Tensor>?
  /// The change of the bias, as factors of `Full`.
  package let bias: Factors<Tensor>?
  /// Of the weight as a matrix; nil where it is for any.
  let matrix: Shape?

  package init(
    algorithm: any AdapterAlgorithm.Type, factors: Factors<Tensor>,
    decomposition: WeightDecomposition<Tensor>? = nil, bias: Factors<Tensor>? = nil,
    matrix: Shape? = nil
  ) {
    self.matrix = matrix
    self.algorithm = algorithm
    self.factors = factors
    self.decomposition = decomposition
    self.bias = bias
  }

  /// From the tensors of a module by canonical suffix, alpha excepted, for a weight of shape `base`.
  /// - Throws: `AdapterError`, where the tensors do not go together.
  package init(
    _ algorithm: any AdapterAlgorithm.Type, _ tensors: [String: Tensor], alpha: Float?,
    for base: Shape, bias: Factors<Tensor>? = nil
  ) throws(AdapterError) {
    var values = tensors
    try values.mapValues(\.shape).checkExtents()
    let decomposition = try WeightDecomposition<Tensor>(removingFrom: &values, for: base)
    values[reshapeSuffix.name] = nil
    try SparseResidual.expand(in: &values, for: base)
    var scale = adapterScale(
      alpha: alpha, rank: algorithm.rank(of: values.mapValues(\.shape)))
    if let fixed = values.removeValue(forKey: fixedScaleSuffix.name) { scale = fixed.elements[0] }
    if let scalar = values.removeValue(forKey: scalarSuffix.name) { scale *= scalar.elements[0] }
    self.init(
      algorithm: algorithm,
      factors: try algorithm.normalized(
        Factors(values, scale: scale, alpha: alpha), for: base),
      decomposition: decomposition, bias: bias, matrix: base.asMatrix)
  }

  /// Whether the change is the same for every weight, so that several can be added up in any order.
  public var isAdditive: Bool {
    decomposition == nil && algorithm is any AdditiveAlgorithm.Type
  }

  /// The adapter for a range of rows of weight and bias; nil where rows depend on each other.
  package func restricted(toRows rows: Range<Int>) -> Adapter? {
    guard let suffixes = algorithm.rowSuffixes(of: factors.values.mapValues(\.shape)) else {
      return nil
    }
    var decomposition = decomposition
    if decomposition != nil {
      decomposition = decomposition?.restricted(toRows: rows)
      guard decomposition != nil else { return nil }
    }
    return Adapter(
      algorithm: algorithm, factors: factors.restricting(suffixes, toRows: rows),
      decomposition: decomposition,
      bias: bias?.restricting(Full.rowSuffixes(of: [:]) ?? [], toRows: rows))
  }

  /// W' for a base weight, in f32; the base to the bit at multiplier 0.
  ///
  /// W' = W + multiplier · (W₁ − W), where W₁ is what training saw; for additive algorithms W₁ − W does not
  /// depend on W.
  /// - Precondition: the weight has the shape that the adapter was made for, its kernel aside.
  /// - Throws: `AdapterError.missingFactor`
  /// - Complexity: O(out · in · kernel · rank) for LoRA, up to O(out² · in · kernel) for rotations.
  public func adapt(
    weight base: consuming Tensor, multiplier: Float
  ) throws(AdapterError) -> Tensor {
    if let matrix {
      precondition(
        base.shape.asMatrix == matrix, "a weight \(base.shape) for an adapter of one \(matrix)")
    }
    guard multiplier != 0 else { return base }
    guard let decomposition else {
      return try algorithm.adaptedWeight(base, factors, multiplier: multiplier)
    }
    return try decomposition.adaptedWeight(base, algorithm, factors, multiplier: multiplier)
  }

  /// b' for a base bias, in f32; the base where the adapter does not change it.
  /// - Precondition: the bias has as many elements as the adapter's change of it.
  /// - Throws: `AdapterError.missingFactor`
  /// - Complexity: O(out)
  public func adapt(bias base: consuming Tensor, multiplier: Float) throws(AdapterError) -> Tensor {
    guard let bias else { return base }
    return try Full.adaptedWeight(base, bias, multiplier: multiplier)
  }

  /// What the module adds to every weight; nil if that depends on the weight.
  package func delta() throws(AdapterError) -> AdapterDelta? {
    guard decomposition == nil, let additive = algorithm as? any AdditiveAlgorithm.Type else {
      return nil
    }
    return try additive.delta(of: factors)
  }
}
