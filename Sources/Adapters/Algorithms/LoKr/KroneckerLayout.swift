package import Tensors

/// How LoKr divides a weight `[out, in, kernel…]` into w1 ⊗ w2.
package struct KroneckerLayout: Hashable, Sendable {
  /// Shape of w1, `[a, c]`.
  package let outer: Shape
  /// `[b, d]`: shape of w2 without the kernel.
  package let inner: Shape

  /// - Parameter factor: the smaller part of an extent where it divides it, else its upper bound; -1
  ///   for the most even division.
  /// - Parameter isUnbalanced: whether the larger part of the outputs goes to w1.
  package init(for weight: Shape, factor: Int, isUnbalanced: Bool = false) {
    let rows = evenFactors(of: weight.rows, factor: factor)
    let columns = evenFactors(of: weight.inputs, factor: factor)
    outer = [isUnbalanced ? rows.1 : rows.0, columns.0]
    inner = [isUnbalanced ? rows.0 : rows.1, columns.1]
  }

  init(outer: Shape, inner: Shape) {
    (self.outer, self.inner) = (outer, inner)
  }

  /// Whether factors of the rank are smaller than a side, by LyCORIS' rule: where the rank is less
  /// than half of the larger extent.
  package func divides(at rank: Int) -> (outer: Bool, inner: Bool) {
    (
      2 * rank < max(outer.rows, outer.columns), 2 * rank < max(inner.rows, inner.columns)
    )
  }
}

/// Two factors of `dimension`, the smaller one first: `factor` and what remains where it divides, else
/// the most even pair whose smaller one is at most `factor` (any, if that is not positive).
///
/// Source: LyCORIS `functional/general.py`, `factorization`.
package func evenFactors(of dimension: Int, factor: Int) -> (Int, Int) {
  if factor > 0, dimension % factor == 0 {
    return (min(factor, dimension / factor), max(factor, dimension / factor))
  }
  var best = 1
  var candidate = 1
  while candidate * candidate <= dimension, factor <= 0 || candidate <= factor {
    if dimension % candidate == 0 { best = candidate }
    candidate += 1
  }
  return (best, dimension / best)
}
