import Autograd
import Tensors

/// Two streams, video and text, that meet in the attention.
struct HunyuanVideoDoubleBlock {
  private let video, text: HunyuanVideoStream
  private let heads: Int

  init(
    _ builder: inout LayerBuilder, _ index: Int, width: Int, head: Int, _ epsilon: Float
  ) throws {
    let (native, diffusers) = ("double_blocks.\(index).", "transformer_blocks.\(index).attn.")
    video = try HunyuanVideoStream(
      &builder,
      .init(native: native + "img_", parts: ["to_q", "to_k", "to_v"].map { diffusers + $0 }),
      width: width, head: head, epsilon)
    text = try HunyuanVideoStream(
      &builder,
      .init(
        native: native + "txt_",
        parts: ["add_q_proj", "add_k_proj", "add_v_proj"].map { diffusers + $0 }),
      width: width, head: head, epsilon)
    heads = width / head
  }

  var layers: [Layer] { video.layers + text.layers }

  /// - Parameters:
  ///   - vector: `[batch, width]`, behind SiLU.
  ///   - counts: tokens of video and text that are seen, of each sample.
  /// - Returns: the video's tokens, then the text's.
  func callAsFunction(
    _ video: Variable, _ text: Variable, _ vector: Variable, _ table: RotaryTable, _ counts: [Int]
  ) -> (video: Variable, text: Variable) {
    let (a, b) = (
      self.video.begin(video, vector, table, heads: heads),
      self.text.begin(text, vector, nil, heads: heads)
    )
    let attended = Variable.attention(
      a.q.appendingTokens(b.q), a.k.appendingTokens(b.k), a.v.appendingTokens(b.v), heads: heads,
      keyCounts: counts, compute: self.video.compute)
    let split = video.shape.dimensions[1]
    let count = attended.shape.dimensions[1]
    return (
      self.video.end(video, attended.tokens(0..<split), a),
      self.text.end(text, attended.tokens(split..<count), b)
    )
  }
}
