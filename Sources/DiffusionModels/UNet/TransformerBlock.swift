import Autograd
import Tensors

/// Attention among the tokens of an image, attention to the text, and a feed-forward network, each
/// behind a layer norm and added to its input.
struct TransformerBlock {
  private let norm1, norm2, norm3: Layer
  private let own, crossed: CrossAttention
  private let gate, out: Layer

  init(
    _ builder: inout LayerBuilder, _ path: String, width: Int, context: Int, heads: Int
  ) throws {
    norm1 = try builder.layerNorm(path + ".norm1", width)
    own = try CrossAttention(
      &builder, path + ".attn1", width: width, context: width, heads: heads)
    norm2 = try builder.layerNorm(path + ".norm2", width)
    crossed = try CrossAttention(
      &builder, path + ".attn2", width: width, context: context, heads: heads)
    norm3 = try builder.layerNorm(path + ".norm3", width)
    gate = try builder.linear(path + ".ff.net.0.proj", from: width)
    out = try builder.linear(path + ".ff.net.2", from: gate.weightShape.rows / 2, to: width)
  }

  var layers: [Layer] { [norm1, norm2, norm3, gate, out] + own.layers + crossed.layers }

  /// `[batch, n, width]`, and the text's `[batch, m, context]`.
  func callAsFunction(_ x: Variable, context: Variable) -> Variable {
    let normal = norm1(x)
    let attended = x + own(normal, context: normal)
    let informed = attended + crossed(norm2(attended), context: context)
    return informed + out(gate(norm3(informed)).geglu())
  }
}

/// Attention with its four projections, of which the first three have no bias.
struct CrossAttention {
  private let q, k, v, out: Layer
  private let heads: Int

  init(
    _ builder: inout LayerBuilder, _ path: String, width: Int, context: Int, heads: Int
  ) throws {
    q = try builder.linear(path + ".to_q", from: width, to: width, hasBias: false)
    k = try builder.linear(path + ".to_k", from: context, to: width, hasBias: false)
    v = try builder.linear(path + ".to_v", from: context, to: width, hasBias: false)
    out = try builder.linear(path + ".to_out.0", from: width, to: width)
    self.heads = heads
  }

  var layers: [Layer] { [q, k, v, out] }

  func callAsFunction(_ x: Variable, context: Variable) -> Variable {
    out(.attention(q(x), k(context), v(context), heads: heads, compute: q.compute))
  }
}
