import Autograd
import Tensors

/// Two streams, images and text, that meet in the attention.
struct QwenImageBlock {
  private let image, text: QwenImageStream
  private let heads: Int

  init(
    _ builder: inout LayerBuilder, _ path: String, width: Int, head: Int, _ epsilon: Float
  ) throws {
    func names(
      _ kind: String, _ projections: [String], _ normQ: String, _ normK: String, _ proj: String
    ) -> QwenImageStream.Names {
      .init(
        modulation: "\(path).\(kind)_mod.1", projections: projections.map { "\(path).attn.\($0)" },
        normQ: "\(path).attn.\(normQ)", normK: "\(path).attn.\(normK)",
        proj: "\(path).attn.\(proj)",
        mlp: ["net.0.proj", "net.2"].map { "\(path).\(kind)_mlp.\($0)" })
    }
    image = try QwenImageStream(
      &builder, names("img", ["to_q", "to_k", "to_v"], "norm_q", "norm_k", "to_out.0"),
      width: width, head: head, epsilon)
    text = try QwenImageStream(
      &builder,
      names(
        "txt", ["add_q_proj", "add_k_proj", "add_v_proj"], "norm_added_q", "norm_added_k",
        "to_add_out"), width: width, head: head, epsilon)
    heads = width / head
  }

  var layers: [Layer] { image.layers + text.layers }

  /// - Parameters:
  ///   - vector: `[batch, width]`, behind SiLU.
  ///   - other: that of the images' tokens behind some; nil where one is for all.
  ///   - tables: of images and of text.
  ///   - counts: tokens of images and text that are seen, of each sample.
  ///   - isLast: whether nothing comes behind that reads the text, which is then left as it is.
  /// - Returns: the images' tokens, then the text's, or those of the images alone.
  func callAsFunction(
    _ image: Variable, _ text: Variable, _ vector: Variable,
    other: (vector: Variable, from: Int)?, _ tables: (images: RotaryTable, text: RotaryTable),
    _ counts: [Int], isLast: Bool
  ) -> Variable {
    let (a, b) = (
      self.image.begin(image, vector, other, tables.images, heads: heads),
      self.text.begin(text, vector, nil, tables.text, heads: heads)
    )
    let attended = Variable.attention(
      a.q.appendingTokens(b.q), a.k.appendingTokens(b.k), a.v.appendingTokens(b.v), heads: heads,
      keyCounts: counts, compute: self.image.compute)
    let split = image.shape.dimensions[1]
    let images = self.image.end(image, attended.tokens(0..<split), a)
    guard !isLast else { return images }
    let count = attended.shape.dimensions[1]
    return images.appendingTokens(self.text.end(text, attended.tokens(split..<count), b))
  }
}
