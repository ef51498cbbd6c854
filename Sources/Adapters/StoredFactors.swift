package import Tensors

/// What the factors of each algorithm are as files hold them.
extension LoRA {
  package static func storedRows(of shapes: [String: Shape]) -> [String: Int]? {
    // A sparse residual holds positions in the whole weight.
    shapes[SparseResidual.indicesSuffix] == nil && shapes[up] != nil ? [up: 1] : nil
  }

  package static func scaleCarriers(of shapes: [String: Shape]) -> [String]? {
    [up] + (shapes[residual] == nil ? [] : [residual])
  }
}

extension LoHa {
  package static func scaleCarriers(of shapes: [String: Shape]) -> [String]? { [first.left] }
}

extension LoKr {
  /// Rows of the outer factor, each of which stands for as many rows as the inner one has.
  package static func storedRows(of shapes: [String: Shape]) -> [String: Int]? {
    let outer = shapes[w1] == nil ? w1Left : w1
    let inner =
      shapes[w2]?.rows ?? shapes[w2Left].map { shapes[core] == nil ? $0.rows : $0.columns }
    guard shapes[outer] != nil, let inner, inner > 0 else { return nil }
    return [outer: inner]
  }

  package static func scaleCarriers(of shapes: [String: Shape]) -> [String]? {
    [shapes[w1] == nil ? w1Left : w1]
  }
}

extension GLoRA {
  /// Either layout has one of each in both products.
  package static func scaleCarriers(of shapes: [String: Shape]) -> [String]? { [a2, b2] }
}

extension StoredDifference {
  package static func storedRows(of shapes: [String: Shape]) -> [String: Int]? {
    shapes[difference] == nil ? [:] : [difference: 1]
  }
}

extension [String: Tensor] {
  /// The matrices of these names as kernels of extent 1 where the weight is a kernel.
  fileprivate func asKernels(_ suffixes: [String], for base: Shape) -> Self {
    var factors = self
    for suffix in suffixes {
      guard let factor = self[suffix], factor.shape.dimensions.count == 2 else { continue }
      factors[suffix] = factor.reshaped(
        Shape(factor.shape.dimensions + base.kernel.map { _ in 1 }))
    }
    return factors
  }
}

extension GLoRA {
  package static func stored(
    _ factors: [String: Tensor], for base: Shape
  ) -> [String: Tensor] { factors.asKernels([a1, a2, b1], for: base) }
}

extension TLoRA {
  package static func stored(
    _ factors: [String: Tensor], for base: Shape
  ) -> [String: Tensor] { factors.asKernels([up, down], for: base) }
}

extension DiagOFT {
  package static func stored(
    _ factors: [String: Tensor], for base: Shape
  ) -> [String: Tensor] { Rotation.stored(factors, for: base) }
}

extension BOFT {
  package static func stored(
    _ factors: [String: Tensor], for base: Shape
  ) -> [String: Tensor] { Rotation.stored(factors, for: base) }
}

extension Rotation {
  fileprivate static func stored(
    _ factors: [String: Tensor], for base: Shape
  ) -> [String: Tensor] {
    var factors = factors
    factors[rescale] = factors[rescale]?.reshaped(
      Shape([base.rows] + base.dimensions.dropFirst().map { _ in 1 }))
    return factors
  }
}

extension IA3 {
  /// With the number that tells the side.
  package static func stored(
    _ factors: [String: Tensor], for base: Shape
  ) -> [String: Tensor] {
    guard let scales = factors[weight] else { return factors }
    let ones = base.kernel.map { _ in 1 }
    let stored = Shape(base.kernel.isEmpty ? [scales.count] : [1, scales.count] + ones)
    return [
      weight: scales.reshaped(stored),
      side: Tensor(scalar: scales.shape.dimensions.count == 2 ? 0 : 1),
    ]
  }
}
