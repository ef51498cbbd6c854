import LinearAlgebra
import Tensors

/// The search for the Kronecker product nearest to a change, under one layout.
///
/// With the change `[a·b, c·d·k]` rearranged to R `[a·c, b·d·k]`, so that every block becomes a row,
/// w1 ⊗ w2 becomes the product of w1 as a column and w2 as a row: the nearest one is the leading
/// singular pair of R. With a side of low rank there is no closed form; then each side in turn is
/// made the best one for the other (a truncated SVD of R contracted with the other), which never
/// loses, from several starts where the problem is small.
///
/// Source: Van Loan and Pitsianis 1993, "Approximation with Kronecker products".
struct KroneckerFit {
  let layout: KroneckerLayout
  private let weight: Shape
  private let rearranged: Tensor
  private let energy: Double
  /// Leading singular pairs of R: the first alone, unless starts are cheap.
  private let leading: SVD
  private let settings: FactorizationSettings

  /// - Throws: `LinearAlgebraError` if the change is not finite or LAPACK does not converge.
  init(
    _ change: WeightChange, _ layout: KroneckerLayout, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) {
    self.layout = layout
    self.settings = settings
    weight = change.shape
    energy = change.energy
    let (a, c) = (layout.outer.rows, layout.outer.columns)
    rearranged = Self.rearranged(change.delta, layout)
    if settings.method == .auto, Self.starts(for: weight.count) == 1, a * c <= Self.fewBlocks {
      leading = try rearranged.leadingPair()
    } else {
      leading = try rearranged.truncatedSVD(
        rank: Self.starts(for: weight.count) > 1 ? Self.pairs : 1, method: settings.method,
        seed: settings.seed, energy: energy)
    }
  }

  /// Every block of a change as a row.
  private static func rearranged(_ delta: Tensor, _ layout: KroneckerLayout) -> Tensor {
    let (a, b, c) = (layout.outer.rows, layout.inner.rows, layout.outer.columns)
    let width = delta.count / (a * b * c)
    return delta.reshaped([a, b, c, width]).swappedMiddleAxes().reshaped([a * c, b * width])
  }

  /// Blocks of which all products with one another are cheaper than a sketch.
  private static let fewBlocks = 128

  /// The share of ‖Δ‖² that the nearest product under a layout takes away at most, as some rows of each
  /// block tell it, which a product fits better than all rows.
  static func sampledShare(
    of change: WeightChange, _ layout: KroneckerLayout, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Double {
    let (a, b, blocks) = (layout.outer.rows, layout.inner.rows, layout.outer.count)
    let width = change.shape.count / (blocks * b)
    // At least four numbers of a block for every block, or the sample fits anything.
    let rows = min(max(sampleCount / (blocks * width), 4 * blocks / width + 1), b)
    let columns = change.shape.columns
    var sampled: [Float] = []
    sampled.reserveCapacity(a * rows * columns)
    let delta = change.delta
    for place in 0..<a * rows {
      let row = place / rows * b + place % rows * b / rows
      sampled += delta.elements[row * columns..<(row + 1) * columns]
    }
    let sample = WeightChange(Tensor([a * rows, columns], sampled))
    guard sample.energy > 0 else { return 1 }
    let matrix = rearranged(
      sample.delta, KroneckerLayout(outer: layout.outer, inner: [rows, width]))
    let pair =
      blocks <= fewBlocks
      ? try matrix.leadingPair()
      : try matrix.truncatedSVD(
        rank: 1, method: settings.method, seed: settings.seed, energy: sample.energy)
    return Double(pair.s[0]) * Double(pair.s[0]) / sample.energy
  }

  /// Numbers of such a sample.
  private static let sampleCount = 1 << 17

  /// w2 for the leading w1 of unit norm, `[b, d · kernel]`: its singular values tell what a rank
  /// of w2 keeps.
  var leadingInner: Tensor {
    (leading.vt.rows(0..<1) * leading.s[0]).reshaped(form(at: nil).inner)
  }

  func form(at rank: Int?) -> KroneckerForm {
    KroneckerForm(weight, layout, rank: rank, decomposesBoth: settings.decomposesBoth)
  }

  /// The product of the leading singular pair with its sides truncated, which is the nearest one if
  /// both are whole.
  func leadingProduct(_ form: KroneckerForm) throws(LinearAlgebraError) -> KroneckerProduct {
    guard form.outerRank == nil else {
      return try product(form, outer: leading.u.transposed().rows(0..<1))
    }
    return KroneckerProduct(
      form: form, outer: .whole(leading.u.transposed().rows(0..<1).reshaped(layout.outer)),
      inner: try side(leadingInner, rank: form.innerRank))
  }

  /// The rank of w2 at which the product of the leading singular pair keeps an error bound that it
  /// keeps whole.
  func leadingRank(keeping bound: Double) throws(LinearAlgebraError) -> Int {
    let kept = Double(leading.s[0]) * Double(leading.s[0])
    let slack = max(bound * bound * energy - (energy - kept), 0)
    return max(
      try leadingInner.truncatedSVD(
        relativeError: (slack / kept).squareRoot(), method: settings.method, seed: settings.seed
      ).rank, 1)
  }

  // MARK: Refinement

  /// Singular pairs among the starts of a small problem.
  private static let pairs = 8
  /// Steps after which the starts are compared.
  private static let trial = 6
  /// From so many numbers on a problem is large, or very large.
  private static let (largeCount, hugeCount) = (1 << 16, 1 << 18)
  /// How many of the starts go on.
  private var finalists: Int { weight.count < Self.largeCount ? 4 : 1 }
  /// The part of the squared error that a step must remove for another to follow.
  private var tolerance: Double {
    switch weight.count {
    case ..<Self.largeCount: 1e-7
    case ..<Self.hugeCount: 1e-6
    default: 2e-5
    }
  }

  /// How many starts a change of so many numbers is worth: one from a million on.
  private static func starts(for count: Int) -> Int { max(1, min(64, (1 << 20) / count)) }

  /// How many steps it is worth.
  private var limit: Int { max(10, min(400, (1 << 26) / weight.count)) }

  /// The nearest product found, at least as good as `leadingProduct`.
  func nearest(_ form: KroneckerForm) throws(LinearAlgebraError) -> KroneckerProduct {
    guard !form.isWhole else { return try leadingProduct(form) }
    var found = [try refined(try leadingProduct(form), steps: Self.trial)]
    for start in starts() {
      found.append(try refined(try product(form, outer: start), steps: Self.trial))
    }
    var best = found[0]
    for candidate in found.sorted(by: { $0.kept > $1.kept }).prefix(finalists) {
      let product = try refined(candidate, steps: limit)
      if product.kept > best.kept { best = product }
    }
    // Steps are inexact where that is cheaper; the last one is not.
    var last = try self.product(form, outer: best.outer.matrix)
    last.iterations = best.iterations
    return last.kept > best.kept ? last : best
  }

  /// Further w1 to start from, as rows: the other singular pairs, and seeded mixtures of them all,
  /// weighed by their singular values.
  private func starts() -> [Tensor] {
    let count = Self.starts(for: weight.count)
    let rank = leading.s.count { $0 > 1e-6 * leading.s[0] }
    guard count > 1, rank > 1 else { return [] }
    let pairs = leading.u.transposed()
    var generator = SeededGenerator(seed: settings.seed)
    var mixtures = Tensor(normal: [count, pairs.shape.rows], deviation: 1, using: &generator)
    mixtures.scaleColumns(by: leading.s)
    let mixed = mixtures.matmul(pairs)
    return (1..<rank).map { pairs.rows($0..<$0 + 1) } + (0..<count).map { mixed.rows($0..<$0 + 1) }
  }

  /// Alternates until a step removes too little of the squared error, or so many steps are taken.
  private func refined(
    _ start: KroneckerProduct, steps: Int
  ) throws(LinearAlgebraError) -> KroneckerProduct {
    var best = start
    for _ in 0..<steps {
      let inner = best.inner.matrix
      let outer = rearranged.applied(toRows: inner.reshaped([1, inner.count]))
      var next = try product(best.form, outer: outer, near: best.inner)
      next.iterations = (best.iterations ?? 0) + 1
      let gain = next.kept - best.kept
      guard gain > 0 else { break }
      best = next
      if gain <= tolerance * (energy - best.kept) { break }
    }
    return best
  }

  /// For w1 as any multiple of what is nearest to it in direction: w1 of unit norm, truncated to its
  /// rank, and the best w2 beside it, or one that is no worse than a w2 that is near where that is
  /// cheaper.
  private func product(
    _ form: KroneckerForm, outer direction: Tensor, near: KroneckerProduct.Side? = nil
  ) throws(LinearAlgebraError) -> KroneckerProduct {
    let outer = try side(direction.reshaped(layout.outer), rank: form.outerRank).normalized
    let inner = rearranged.transposeApplied(
      toRows: outer.matrix.reshaped([1, layout.outer.count])
    ).reshaped(form.inner)
    if case .product(let svd)? = near, weight.count >= Self.largeCount, settings.method == .auto {
      return KroneckerProduct(
        form: form, outer: outer, inner: .product(try inner.truncatedSVD(refining: svd)))
    }
    return KroneckerProduct(
      form: form, outer: outer, inner: try side(inner, rank: form.innerRank))
  }

  private func side(
    _ matrix: Tensor, rank: Int?
  ) throws(LinearAlgebraError) -> KroneckerProduct.Side {
    guard let rank else { return .whole(matrix) }
    return .product(
      try matrix.truncatedSVD(rank: rank, method: settings.method, seed: settings.seed))
  }
}

extension Tensor {
  /// The leading triplet of a matrix of few rows, from all products of its rows in single precision.
  fileprivate func leadingPair() throws(LinearAlgebraError) -> SVD {
    let vector = try matmulTransposed(self).symmetricEigen().vectors.transposed().rows(0..<1)
    let image = transposeApplied(toRows: vector)
    let norm = image.sumOfSquares.squareRoot()
    return SVD(
      u: vector.transposed(), s: [Float(norm)], vt: norm > 0 ? image * Float(1 / norm) : image)
  }
}
