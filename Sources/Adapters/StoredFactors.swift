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
