import LinearAlgebra
import Tensors

/// Brings a Kronecker product nearer to a change where the inputs of its layer are known: ‖(Δ − w1 ⊗ w2)·M‖².
///
/// M does not divide as the product does, so that there is no closed form. For a given w2 the best w1 solves a linear
/// system, one for each of its rows with the same matrix, and for a given w1 so does w2; a side of low rank is the
/// truncated SVD of that solution, whitened by its matrix. Neither step can lose. The kernel is whole in w2: there M is
/// multiplied in at the start and divided off at the end. How much outputs count has no place here.
struct KroneckerRefinement {
  private let form: KroneckerForm
  private let metric: LayerMetric
  private let settings: FactorizationSettings
  /// ‖Δ·M‖²
  private let energy: Double
  /// Δ·M·Mᵀ, a block of it in each row: `[a·c, b·k·d]`.
  private let blocks: Tensor
  /// M·Mᵀ of channels, a block of it in each row: `[c·c, d·d]`.
  private let moments: Tensor

  private var a: Int { form.layout.outer.rows }
  private var c: Int { form.layout.outer.columns }
  private var b: Int { form.layout.inner.rows }
  private var d: Int { form.layout.inner.columns }
  private var places: Int { form.weight.kernel.reduce(1, *) }

  private static let maximumSteps = 40
  /// The part of the squared error that a step must remove for another to follow.
  private static let tolerance = 1e-5

  /// - Precondition: the metric is a product where there is a kernel.
  init(
    _ change: WeightChange, _ metric: LayerMetric, _ form: KroneckerForm,
    _ settings: FactorizationSettings
  ) {
    (self.form, self.metric, self.settings) = (form, metric, settings)
    let size = form.weight.kernel.reduce(1, *)
    let (outer, inner) = (form.layout.outer, form.layout.inner)
    let moment = metric.regularInputs
    // Channels last: `[a·b·k, c·d]`.
    let delta = metric.whitenedKernel(change.delta).channelsLast()
    let product = delta.matmul(moment)
    energy = product.dot(delta)
    blocks =
      product
      .reshaped([outer.rows, inner.rows * size, outer.columns, inner.columns]).swappedMiddleAxes()
      .reshaped([outer.rows * outer.columns, inner.rows * size * inner.columns])
    moments = moment.reshaped([outer.columns, inner.columns, outer.columns, inner.columns])
      .swappedMiddleAxes()
      .reshaped([outer.columns * outer.columns, inner.columns * inner.columns])
  }

  /// From a product, by turns until a step removes next to nothing.
  /// - Throws: `LinearAlgebraError`
  func refined(_ start: KroneckerProduct) throws(LinearAlgebraError) -> KroneckerProduct {
    var outer = start.outer.normalized
    var (inner, kept) = try self.inner(beside: outer)
    var best = (outer: outer, inner: inner)
    var steps = 0
    while steps < Self.maximumSteps {
      steps += 1
      outer = try self.outer(beside: inner).normalized
      let (next, gained) = try self.inner(beside: outer)
      guard gained > kept else { break }
      let removed = gained - kept
      (inner, kept, best) = (next, gained, (outer, next))
      if removed <= Self.tolerance * (energy - kept) { break }
    }
    var product = KroneckerProduct(form: form, outer: best.outer, inner: restored(best.inner))
    product.iterations = (start.iterations ?? 0) + steps
    return product
  }

  /// w2 as `[b, k·d]`, its kernel whitened, and how much of the energy it takes away.
  private func inner(
    beside outer: KroneckerProduct.Side
  ) throws(LinearAlgebraError) -> (KroneckerProduct.Side, kept: Double) {
    let matrix = outer.matrix
    let normal = matrix.transposedMatmul(matrix).reshaped([1, c * c]).matmul(moments)
    let factor = try normal.reshaped([d, d]).choleskyFactor(ridge: 1e-7)
    let whitened = matrix.reshaped([1, a * c]).matmul(blocks).reshaped([b * places, d])
      .divided(byTransposedLower: factor).reshaped([b, places * d])
    guard let rank = form.innerRank else {
      return (.whole(whitened.divided(byLower: factor)), whitened.sumOfSquares)
    }
    let svd = try whitened.truncatedSVD(
      rank: rank, method: settings.method, seed: settings.seed)
    return (
      .product(SVD(u: svd.u, s: svd.s, vt: svd.vt.divided(byLower: factor))),
      svd.s.reduce(0) { $0 + Double($1) * Double($1) }
    )
  }

  /// w1 `[a, c]`
  private func outer(
    beside inner: KroneckerProduct.Side
  ) throws(LinearAlgebraError) -> KroneckerProduct.Side {
    let matrix = inner.matrix.reshaped([b * places, d])
    let square = matrix.transposedMatmul(matrix).reshaped([d * d, 1])
    let factor = try moments.matmul(square).reshaped([c, c]).choleskyFactor(ridge: 1e-7)
    let whitened = blocks.matmul(matrix.reshaped([b * places * d, 1])).reshaped([a, c])
      .divided(byTransposedLower: factor)
    guard let rank = form.outerRank else { return .whole(whitened.divided(byLower: factor)) }
    let svd = try whitened.truncatedSVD(
      rank: rank, method: settings.method, seed: settings.seed)
    return .product(SVD(u: svd.u, s: svd.s, vt: svd.vt.divided(byLower: factor)))
  }

  /// w2 as it is stored, `[b, d · kernel]`.
  private func restored(_ inner: KroneckerProduct.Side) -> KroneckerProduct.Side {
    func weight(_ matrix: Tensor) -> Tensor {
      let rows = matrix.shape.rows
      return metric.restoredKernel(
        matrix.reshaped([rows, places, d]).swappedLastAxes().reshaped([rows, d * places]))
    }
    switch inner {
    case .whole(let matrix): return .whole(weight(matrix))
    case .product(let svd): return .product(SVD(u: svd.u, s: svd.s, vt: weight(svd.vt)))
    }
  }
}
