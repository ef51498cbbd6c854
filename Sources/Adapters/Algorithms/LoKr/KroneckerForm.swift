import Tensors

/// How the two sides of a Kronecker product are stored: each whole, or as a product of low rank.
struct KroneckerForm: Equatable, Sendable {
  /// The weight that is divided, `[out, in, kernel…]`.
  let weight: Shape
  let layout: KroneckerLayout
  /// Rank of w1; nil where it is stored whole.
  let outerRank: Int?
  /// Rank of w2 as the matrix `[b, d · kernel]`; nil where it is stored whole.
  let innerRank: Int?

  /// The form at a rank, nil for both sides whole.
  ///
  /// A side is a product where LyCORIS makes it one (`KroneckerLayout.divides`) and that takes fewer
  /// numbers; w1 only if `decomposesBoth`.
  init(_ weight: Shape, _ layout: KroneckerLayout, rank: Int?, decomposesBoth: Bool) {
    self.weight = weight
    self.layout = layout
    guard let rank else {
      (outerRank, innerRank) = (nil, nil)
      return
    }
    let divides = layout.divides(at: rank)
    let inner = Self.inner(of: weight, layout)
    outerRank =
      decomposesBoth && divides.outer && Self.saves(rank, of: layout.outer) ? rank : nil
    innerRank = divides.inner && Self.saves(rank, of: inner) ? rank : nil
  }

  private static func saves(_ rank: Int, of matrix: Shape) -> Bool {
    rank * (matrix.rows + matrix.columns) < matrix.count
  }

  /// w2 as a matrix, `[b, d · kernel]`.
  var inner: Shape { Self.inner(of: weight, layout) }

  private static func inner(of weight: Shape, _ layout: KroneckerLayout) -> Shape {
    [layout.inner.rows, layout.inner.columns * weight.kernel.reduce(1, *)]
  }

  var isWhole: Bool { outerRank == nil && innerRank == nil }

  /// The rank that alpha is divided by; nil where there is none.
  var rank: Int? { innerRank ?? outerRank }

  /// Shapes of what is stored, alpha excepted.
  var tensors: [(suffix: String, shape: Shape)] {
    outerTensors + innerTensors
  }

  private var outerTensors: [(suffix: String, shape: Shape)] {
    guard let outerRank else { return [(LoKr.w1, layout.outer)] }
    return [
      (LoKr.w1Left, [layout.outer.rows, outerRank]),
      (LoKr.w1Right, [outerRank, layout.outer.columns]),
    ]
  }

  private var innerTensors: [(suffix: String, shape: Shape)] {
    guard let innerRank else {
      return [(LoKr.w2, Shape(layout.inner.dimensions + weight.kernel))]
    }
    return [
      (LoKr.w2Left, [inner.rows, innerRank]), (LoKr.w2Right, [innerRank, inner.columns]),
    ]
  }

  /// Numbers stored, alpha excepted.
  var count: Int { tensors.reduce(0) { $0 + $1.shape.count } }
}

extension KroneckerLayout {
  /// `8×16`, the extents of w1.
  var label: String { "\(outer.rows)×\(outer.columns)" }

  /// Whether w1 is one number, so that nothing is divided.
  var isTrivial: Bool { outer.count == 1 }

  /// Every layout that divisors of the outputs and inputs give, each with the least factor that asks
  /// for it; the trivial one only where there is no other.
  static func all(
    for weight: Shape, isUnbalanced: Bool
  ) -> [(factor: Int, layout: KroneckerLayout)] {
    var found: [(factor: Int, layout: KroneckerLayout)] = []
    var factor = 2
    while factor * factor <= max(weight.rows, weight.inputs) {
      let layout = KroneckerLayout(for: weight, factor: factor, isUnbalanced: isUnbalanced)
      if !layout.isTrivial, !found.contains(where: { $0.layout == layout }) {
        found.append((factor, layout))
      }
      factor += 1
    }
    return found.isEmpty ? [(1, KroneckerLayout(for: weight, factor: 1))] : found
  }
}
