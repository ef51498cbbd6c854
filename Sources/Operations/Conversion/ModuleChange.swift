import Adapters
import LinearAlgebra
import Tensors

/// What one module adds to a weight and its bias at ratio 1.
struct ModuleChange: Sendable {
  enum Weight: Sendable {
    case product(LowRankChange)
    case whole(Tensor)
  }

  /// nil where only the bias changes.
  let weight: Weight?
  let bias: Tensor?
  /// Whether it belongs to a normalization layer.
  let isNorm: Bool
  /// How strongly it takes part.
  let ratio: Float

  var shape: Shape? {
    switch weight {
    case .product(let change): change.weight
    case .whole(let tensor): tensor.shape
    case nil: nil
    }
  }
}

/// The changes of one weight by several adapters, joined.
struct JoinedChange: Sendable {
  var weight: ModuleChange.Weight?
  var bias: Tensor?
  var isNorm = false

  /// Σ ratio · change: factors side by side, with the ratio on up alone; multiplied out where one is
  /// whole, or where factors would be no smaller.
  static func sum(of changes: [ModuleChange]) -> JoinedChange {
    let weights = changes.compactMap { change in
      change.weight.map { (weight: $0, ratio: change.ratio) }
    }
    var joined = JoinedChange(
      weight: nil, bias: biasSum(of: changes), isNorm: changes[0].isNorm)
    guard !weights.isEmpty else { return joined }
    // The shape that tells of a kernel, where one adapter flattens what another does not.
    let shape =
      changes.compactMap(\.shape).max { $0.dimensions.count < $1.dimensions.count } ?? []
    let products = weights.compactMap { weight, ratio in
      if case .product(let change) = weight { return (change, ratio) } else { return nil }
    }
    let rank = products.reduce(0) { $0 + $1.0.rank }
    if products.count == weights.count, rank * (shape.rows + shape.columns) < shape.count {
      joined.weight = .product(stacked(products, for: shape))
      return joined
    }
    var sum = Tensor(zeros: shape)
    for (weight, ratio) in weights {
      switch weight {
      case .whole(let tensor): sum.add(tensor, times: ratio)
      case .product(let change): sum.addProduct(change.up, change.down, times: ratio)
      }
    }
    joined.weight = .whole(sum)
    return joined
  }

  static func biasSum(of changes: [ModuleChange]) -> Tensor? {
    var sum: Tensor?
    for change in changes {
      guard let bias = change.bias else { continue }
      var total = sum ?? Tensor(zeros: bias.shape)
      total.add(bias, times: change.ratio)
      sum = total
    }
    return sum
  }

  /// [r₁·up₁, r₂·up₂, …] and [down₁; down₂; …].
  static func stacked(_ products: [(LowRankChange, Float)], for shape: Shape) -> LowRankChange {
    LowRankChange(
      of: shape,
      up: Tensor.joinedColumns(products.map { ($0.0.up, $0.1) }),
      down: Tensor.stacked(products.map(\.0.down)))
  }
}
