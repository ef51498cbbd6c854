import Autograd
import Tensors

/// Attention among the tokens of a video, attention to text and picture, and a feed-forward network; the first and the
/// last are modulated by the time.
struct WanBlock {
  private let attention: WanSelfAttention
  private let crossAttention: WanCrossAttention
  private let norm: Layer
  private let first, second: Layer
  /// `[6 · width]`, added to what the time says.
  private let modulation: Variable
  private let width: Int
  private let epsilon: Float

  init(
    _ builder: inout LayerBuilder, _ path: String, width: Int, heads: Int,
    _ configuration: WanConfiguration
  ) throws {
    let epsilon = configuration.epsilon
    modulation = Variable(
      try builder.values(path, "modulation", [1, 6, width]).reshaped([6 * width]))
    attention = try WanSelfAttention(
      &builder, path + ".self_attn", width: width, heads: heads, epsilon)
    norm = try builder.layerNorm(path + ".norm3", width, epsilon: epsilon)
    crossAttention = try WanCrossAttention(
      &builder, path + ".cross_attn", width: width, heads: heads, epsilon)
    first = try builder.linear(path + ".ffn.0", from: width)
    second = try builder.linear(path + ".ffn.2", from: first.weightShape.rows, to: width)
    (self.width, self.epsilon) = (width, epsilon)
  }

  var layers: [Layer] { attention.layers + [norm] + crossAttention.layers + [first, second] }

  /// - Parameters:
  ///   - x: `[batch, tokens, width]`
  ///   - time: `[batch, 6 · width]`
  ///   - text: `[batch, rows, width]`
  ///   - picture: the same of what is seen in a first picture; nil for none.
  func callAsFunction(
    _ x: Variable, time: Variable, text: Variable, picture: Variable?, _ table: RotaryTable
  ) -> Variable {
    let parts = time.addingRow(modulation)
    func part(_ index: Int) -> Variable { parts.channels(index * width..<(index + 1) * width) }
    let attended = x.addingGated(
      attention(
        x.layerNormalized(epsilon: epsilon).modulated(scale: part(1), shift: part(0)), table),
      by: part(2))
    let informed = attended + crossAttention(norm(attended), text: text, picture: picture)
    let normal = informed.layerNormalized(epsilon: epsilon)
      .modulated(scale: part(4), shift: part(3))
    return informed.addingGated(second(first(normal).activated(.tanhGELU)), by: part(5))
  }
}
