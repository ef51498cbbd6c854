/// How far times are moved toward noise by the size of a picture: a line through two points, which gives the logarithm of
/// the shift.
///
/// Source: Black Forest Labs' `flux/sampling.py`, `get_lin_function`.
package struct MeanShift: Hashable, Sendable {
  /// A size for which it is known.
  package struct Point: Hashable, Sendable {
    let tokens, mean: Double
  }

  private let first, second: Point

  /// - Parameters: tokens of a picture with the logarithm of its shift, of two sizes.
  package init(_ first: (tokens: Double, mean: Double), _ second: (tokens: Double, mean: Double)) {
    self.first = Point(tokens: first.tokens, mean: first.mean)
    self.second = Point(tokens: second.tokens, mean: second.mean)
  }

  /// The logarithm of the shift.
  package func mean(ofTokens count: Double) -> Double {
    first.mean + (second.mean - first.mean) / (second.tokens - first.tokens)
      * (count - first.tokens)
  }
}
