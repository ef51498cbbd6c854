/// What the weights of a Wan do not tell about it.
package struct WanConfiguration: Hashable, Sendable {
  package var heads = HeadRule.width(128)
  /// Rows of text, those beyond the caption zeros: they count.
  package var textLength = 512
  package var epsilon: Float = 1e-6
  package var theta = 10000.0

  package init() {}

  /// Widths of heads are multiples of it: numbers are turned in pairs.
  static let headStep = 2

  /// Numbers of a head that frames, rows and columns turn.
  func axes(ofHead width: Int) -> [Int] {
    let sixth = width / 6
    return [width - 4 * sixth, 2 * sixth, 2 * sixth]
  }
}
