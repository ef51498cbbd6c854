/// What the weights of a Qwen-Image do not tell about it.
package struct QwenImageConfiguration: Hashable, Sendable {
  package var epsilon: Float = 1e-6
  package var theta = 10000.0
  /// Whether images that are seen are modulated as at time 0, without noise.
  package var showsAtTimeZero = false

  package init() {}

  /// Widths of heads are multiples of it, so that each axis turns pairs.
  static let headStep = 32

  /// Numbers of a head that images, rows and columns turn: 16, 56 and 56 of 128.
  func axes(ofHead width: Int) -> [Int] {
    let images = width / 8
    return [images, (width - images) / 2, (width - images) / 2]
  }
}
