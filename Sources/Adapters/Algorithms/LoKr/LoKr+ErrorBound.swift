import LinearAlgebra
import Tensors

extension LoKr {
  /// The smallest Kronecker product that keeps an error bound as it is stored, over all layouts;
  /// where none does, the one with the least error.
  static func smallest(
    _ change: WeightChange, keeping bound: Double, _ settings: FactorizationSettings
  ) throws(LinearAlgebraError) -> Factorization {
    let plain = change.unweighed
    var smallest: Factorization?
    var nearest: (factor: Int, product: KroneckerProduct)?
    for (factor, layout) in layouts(for: change.shape, settings) {
      let fit = try KroneckerFit(plain, layout, settings)
      let whole = try fit.leadingProduct(fit.form(at: nil))
      if nearest.map({ whole.kept > $0.product.kept }) ?? true { nearest = (factor, whole) }
      // Two whole sides that are too far off, beyond what single precision blurs, are not worth
      // measuring.
      guard
        change.metric != nil || plain.energy - whole.kept <= (bound * bound + 1e-5) * plain.energy
      else { continue }
      func store(_ product: KroneckerProduct) throws(LinearAlgebraError) -> Factorization {
        try stored(product, change, factor, settings)
      }
      smallest =
        try self.smallest(fit, keeping: bound, below: smallest?.numberCount, whole, store)
        ?? smallest
    }
    if let smallest { return smallest }
    guard let nearest else { preconditionFailure("no layout for \(change.shape)") }
    return try stored(nearest.product, change, nearest.factor, settings)
  }

  /// The least rank of one layout that keeps the bound in fewer numbers than `limit`, or both sides
  /// whole; nil if nothing does.
  ///
  /// The search starts where the singular values of the leading w2 put the rank and widens from
  /// there: refinement needs no more, and rounding rarely one more.
  private static func smallest(
    _ fit: KroneckerFit, keeping bound: Double, below limit: Int?, _ whole: KroneckerProduct,
    _ store: (KroneckerProduct) throws(LinearAlgebraError) -> Factorization
  ) throws(LinearAlgebraError) -> Factorization? {
    let limit = limit ?? .max
    let capacity = try store(whole)
    guard capacity.relativeError <= bound else { return nil }
    var found = whole.form.count < limit ? capacity : nil
    let ranks = (1...).prefix { !fit.form(at: $0).isWhole && fit.form(at: $0).count < limit }
    var (low, high) = (1, (ranks.last ?? 0) + 1)
    var rank = try min(fit.leadingRank(keeping: bound), high - 1)
    var stride = 1
    while low < high {
      let candidate = try store(try fit.nearest(fit.form(at: rank)))
      if candidate.relativeError <= bound {
        (found, high) = (candidate, rank)
        rank = max(high - stride, (low + high) / 2)
      } else {
        low = rank + 1
        rank = min(low + stride - 1, (low + high) / 2)
      }
      stride *= 2
    }
    return found
  }
}

extension Factorization {
  /// Numbers stored, alpha excepted.
  fileprivate var numberCount: Int {
    factors.reduce(0) { $0 + ($1.suffix == alphaSuffix.name ? 0 : $1.tensor.shape.count) }
  }
}
