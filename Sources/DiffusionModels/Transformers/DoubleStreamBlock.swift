import Autograd
import Tensors

/// Two streams, picture and text, that meet in the attention.
struct DoubleStreamBlock {
  private let picture, text: TokenStream
  private let heads: Int

  init(
    _ builder: inout LayerBuilder, picture: TokenStream.Paths, text: TokenStream.Paths, width: Int,
    head: Int, _ epsilon: Float
  ) throws {
    self.picture = try TokenStream(&builder, picture, width: width, head: head, epsilon)
    self.text = try TokenStream(&builder, text, width: width, head: head, epsilon)
    heads = width / head
  }

  var layers: [Layer] { picture.layers + text.layers }

  /// Where tokens are; nil for text without places.
  typealias Tables = (picture: RotaryTable, text: RotaryTable?)

  /// - Parameters:
  ///   - vector: `[batch, width]`, behind SiLU.
  ///   - other: that of the picture's tokens behind some; nil where one is for all.
  ///   - counts: tokens of picture and text that are seen, of each sample.
  ///   - endsText: whether something behind reads the text; else it is left as it is.
  /// - Returns: the picture's tokens, then the text's, or those of the picture alone.
  func callAsFunction(
    _ picture: Variable, _ text: Variable, _ vector: Variable,
    other: (vector: Variable, from: Int)? = nil, _ tables: Tables, _ counts: [Int],
    endsText: Bool = true
  ) -> Variable {
    let (a, b) = (
      self.picture.begin(picture, vector, other, tables.picture, heads: heads),
      self.text.begin(text, vector, nil, tables.text, heads: heads)
    )
    let attended = Variable.attention(
      a.q.appendingTokens(b.q), a.k.appendingTokens(b.k), a.v.appendingTokens(b.v), heads: heads,
      keyCounts: counts, compute: self.picture.compute)
    let split = picture.shape.dimensions[1]
    let ended = self.picture.end(picture, attended.tokens(0..<split), a)
    guard endsText else { return ended }
    let count = attended.shape.dimensions[1]
    return ended.appendingTokens(self.text.end(text, attended.tokens(split..<count), b))
  }
}
