package import LinearAlgebra
package import Tensors

/// DoRA: the length of every row (or input channel) of a weight, trained apart from its direction.
///
/// A wrapper around LoRA, LoHa and LoKr, not an algorithm of its own: with V = W + ΔW,
/// W'(1) = V · d / ‖V‖, and W'(m) = W + m · (W'(1) − W). The norm is that of V, as in training; loaders
/// that take ‖W‖ are off by a third. d is `[out, 1…]`, or `[1, in, 1…]` where the norm runs over all
/// axes but that of the inputs; a vector (PEFT, ai-toolkit) is of the outputs where both would fit.
///
/// Sources: Liu et al. 2024, arXiv 2402.09353; LyCORIS `functional/general.py`, `weight_decompose`;
/// PEFT `tuners/lora/dora.py`.
package struct WeightDecomposition<V: TensorAlgebra> {
  package enum Axis: Sendable {
    case outputs, inputs
  }

  package let magnitude: V
  package let axis: Axis

  package init(magnitude: V, axis: Axis) {
    self.magnitude = magnitude
    self.axis = axis
  }

  /// V · d / ‖V‖
  package func rescale(_ direction: consuming V) -> V {
    // The smallest difference of f32 at 1, as training adds it: a row of zeros stays one.
    let offset = Float.ulpOfOne
    switch axis {
    case .outputs:
      let norms = direction.rowNorms()
      let factors = magnitude.reshaped(norms.shape) * norms.reciprocal(offset: offset)
      return direction.scaledRows(by: factors)
    case .inputs:
      return direction.scalingChannels(toNorms: magnitude, offset: offset)
    }
  }

  /// W' of an algorithm within the decomposition.
  package func adaptedWeight(
    _ base: consuming V, _ algorithm: any AdapterAlgorithm.Type, _ factors: Factors<V>,
    multiplier: Float
  ) throws(AdapterError) -> V {
    let direction = try algorithm.adaptedWeight(copy base, factors, multiplier: 1)
    return base.interpolated(to: rescale(direction), by: multiplier)
  }

  /// Lengths along an axis of a weight, with which training starts: `[out, 1…]` or `[1, in, 1…]`.
  package static func lengths(of weight: V, along axis: Axis) -> V {
    let ones = weight.shape.kernel.map { _ in 1 }
    return switch axis {
    case .outputs:
      weight.rowNorms().reshaped(Shape([weight.shape.rows, 1] + ones))
    case .inputs:
      weight.channelNorms(weight.shape.inputs).reshaped(
        Shape([1, weight.shape.inputs] + ones))
    }
  }
}

extension WeightDecomposition: Sendable where V: Sendable {}

extension WeightDecomposition<Tensor> {
  /// Suffix of a magnitude whose axis its shape tells.
  package static var suffix: FactorSuffix { FactorSuffix("dora_scale") }

  /// Suffix of a magnitude of the outputs, whatever its shape: `[out]`, `[1, out, 1, 1]`.
  package static var outputSuffix: FactorSuffix {
    FactorSuffix(
      "lora_magnitude_vector",
      spelled: [".lora_magnitude_vector.weight", ".magnitude"])
  }

  package static var suffixes: [FactorSuffix] { [suffix, outputSuffix] }

  /// Takes the magnitude out of a module's tensors; nil if there is none.
  /// - Throws: `AdapterError.factorShape` if it belongs to no axis of the weight.
  init?(
    removingFrom tensors: inout [String: Tensor], for base: Shape
  ) throws(AdapterError) {
    let axis = try Self.axis(of: tensors.mapValues(\.shape), for: base)
    let stored = [Self.suffix, Self.outputSuffix].compactMap {
      tensors.removeValue(forKey: $0.name)
    }
    guard let axis, let magnitude = stored.first else { return nil }
    self.init(magnitude: magnitude, axis: axis)
  }

  /// The axis of a module's magnitude; nil if it has none.
  ///
  /// A vector and `[out, 1…]` are of the outputs, `[1, in, 1…]` of the inputs.
  /// - Throws: `AdapterError.factorShape` if it belongs to no axis of the weight.
  package static func axis(
    of shapes: [String: Shape], for base: Shape
  ) throws(AdapterError) -> Axis? {
    if let magnitude = shapes[outputSuffix.name] {
      guard magnitude.count == base.rows else {
        throw .factorShape(outputSuffix.name, expected: "[\(base.rows)]", found: magnitude)
      }
      return .outputs
    }
    guard let magnitude = shapes[suffix.name] else { return nil }
    let isRow = magnitude.dimensions.count > 1 && magnitude.dimensions[0] == 1
    if magnitude.count == base.rows, !isRow || magnitude.count == 1 { return .outputs }
    if magnitude.count == base.inputs { return .inputs }
    throw .factorShape(
      suffix.name, expected: "[\(base.rows), 1] or [1, \(base.inputs)]", found: magnitude)
  }

  /// What the shape of a magnitude leaves open; nil where it is clear.
  package static func ambiguity(in shapes: [String: Shape], base: Shape?) -> String? {
    guard let magnitude = shapes[suffix.name], magnitude.dimensions.count == 1, let base,
      base.rows == base.inputs
    else { return nil }
    return "a vector of magnitudes beside a square weight: read as one for every output"
  }

  /// The magnitude restricted to a range of rows; nil where it is not by rows.
  func restricted(toRows rows: Range<Int>) -> Self? {
    guard axis == .outputs else { return nil }
    return Self(magnitude: magnitude.reshaped([magnitude.count]).rows(rows), axis: .outputs)
  }
}
