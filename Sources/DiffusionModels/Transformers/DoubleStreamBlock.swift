import Autograd
import Tensors

/// Two streams, picture and text, that meet in the attention.
struct DoubleStreamBlock {
  private let picture, text: TokenStream
  private let heads: Int

  init(
    _ builder: inout LayerBuilder, _ index: Int, _ names: StreamNames, width: Int, head: Int,
    _ epsilon: Float
  ) throws {
    let (native, diffusers) = ("double_blocks.\(index).", "transformer_blocks.\(index).attn.")
    picture = try TokenStream(
      &builder, native + "img_", parts: ["to_q", "to_k", "to_v"].map { diffusers + $0 }, names,
      width: width, head: head, epsilon)
    text = try TokenStream(
      &builder, native + "txt_",
      parts: ["add_q_proj", "add_k_proj", "add_v_proj"].map { diffusers + $0 }, names,
      width: width, head: head, epsilon)
    heads = width / head
  }

  var layers: [Layer] { picture.layers + text.layers }

  /// - Parameters:
  ///   - vector: `[batch, width]`, behind SiLU.
  ///   - table: of the picture's tokens.
  ///   - counts: tokens of picture and text that are seen, of each sample.
  /// - Returns: the picture's tokens, then the text's.
  func callAsFunction(
    _ picture: Variable, _ text: Variable, _ vector: Variable, _ table: RotaryTable,
    _ counts: [Int]
  ) -> (picture: Variable, text: Variable) {
    let (a, b) = (
      self.picture.begin(picture, vector, table, heads: heads),
      self.text.begin(text, vector, nil, heads: heads)
    )
    let attended = Variable.attention(
      a.q.appendingTokens(b.q), a.k.appendingTokens(b.k), a.v.appendingTokens(b.v), heads: heads,
      keyCounts: counts, compute: self.picture.compute)
    let split = picture.shape.dimensions[1]
    let count = attended.shape.dimensions[1]
    return (
      self.picture.end(picture, attended.tokens(0..<split), a),
      self.text.end(text, attended.tokens(split..<count), b)
    )
  }
}
