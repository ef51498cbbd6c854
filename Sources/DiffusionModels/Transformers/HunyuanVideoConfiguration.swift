/// What the weights of a HunyuanVideo do not tell about it.
package struct HunyuanVideoConfiguration: Hashable, Sendable {
  package var epsilon: Float = 1e-6
  package var theta = 256.0
  /// Whether the last modulation has its scale before its shift, as diffusers writes it.
  package var scalesFirst = false

  package init() {}

  /// Widths of heads are multiples of it, so that each axis turns pairs.
  static let headStep = 32

  /// Numbers of a head that frames, rows and columns turn: 16, 56 and 56 of 128.
  func axes(ofHead width: Int) -> [Int] {
    let frames = width / 8
    return [frames, (width - frames) / 2, (width - frames) / 2]
  }
}
