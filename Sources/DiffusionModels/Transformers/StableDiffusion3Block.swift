import Autograd
import Tensors

/// Two streams, text and picture, that meet in the attention. The last block gives the picture alone.
struct StableDiffusion3Block {
  private let text, image: StableDiffusion3Stream
  private let heads: Int

  /// - Parameter isLast: whether the text ends here.
  init(
    _ builder: inout LayerBuilder, _ index: Int, isLast: Bool, width: Int, heads: Int,
    _ configuration: StableDiffusion3Configuration
  ) throws {
    let (native, diffusers) = ("joint_blocks.\(index).", "transformer_blocks.\(index).")
    let parts = ["to_q", "to_k", "to_v"]
    text = try StableDiffusion3Stream(
      &builder,
      .init(
        native: native + "context_block.",
        parts: ["add_q_proj", "add_k_proj", "add_v_proj"].map { diffusers + "attn." + $0 },
        ownParts: []),
      width: width, heads: heads, configuration, isRead: !isLast)
    image = try StableDiffusion3Stream(
      &builder,
      .init(
        native: native + "x_block.", parts: parts.map { diffusers + "attn." + $0 },
        ownParts: parts.map { diffusers + "attn2." + $0 }),
      width: width, heads: heads, configuration, isRead: true)
    self.heads = heads
  }

  var layers: [Layer] { text.layers + image.layers }

  /// - Parameters:
  ///   - text, image: `[batch, tokens, width]`
  ///   - vector: `[batch, width]`, behind SiLU.
  /// - Returns: tokens of the text, where they go on, then those of the picture.
  func callAsFunction(_ text: Variable, _ image: Variable, _ vector: Variable) -> Variable {
    let (a, b) = (self.text.begin(text, vector), self.image.begin(image, vector))
    let attended = Variable.attention(
      a.q.appendingTokens(b.q), a.k.appendingTokens(b.k), a.v.appendingTokens(b.v), heads: heads,
      compute: self.image.compute)
    let (split, count) = (text.shape.dimensions[1], attended.shape.dimensions[1])
    guard let seen = self.image.end(image, attended.tokens(split..<count), b) else {
      preconditionFailure("the picture goes on behind every block")
    }
    return self.text.end(text, attended.tokens(0..<split), a).map { $0.appendingTokens(seen) }
      ?? seen
  }
}
