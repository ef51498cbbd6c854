import Autograd
import Tensors

/// One layer of a CLIP text encoder: attention to earlier tokens and a feed-forward network, each
/// behind a layer norm and added to its input.
struct CLIPTextLayer {
  private let norm1, norm2: Layer
  private let q, k, v, out: Layer
  private let wide, narrow: Layer
  private let heads: Int
  private let activation: Activation

  init(
    _ builder: inout LayerBuilder, _ path: String, width: Int,
    _ configuration: CLIPTextConfiguration
  ) throws {
    let attention = path + ".self_attn"
    heads = try builder.heads(configuration.heads, of: width, at: attention)
    activation = configuration.activation
    norm1 = try builder.layerNorm(path + ".layer_norm1", width)
    q = try builder.linear(attention + ".q_proj", from: width, to: width)
    k = try builder.linear(attention + ".k_proj", from: width, to: width)
    v = try builder.linear(attention + ".v_proj", from: width, to: width)
    out = try builder.linear(attention + ".out_proj", from: width, to: width)
    norm2 = try builder.layerNorm(path + ".layer_norm2", width)
    wide = try builder.linear(path + ".mlp.fc1", from: width)
    narrow = try builder.linear(path + ".mlp.fc2", from: wide.weightShape.rows, to: width)
  }

  var layers: [Layer] { [norm1, q, k, v, out, norm2, wide, narrow] }

  /// - Parameters:
  ///   - x: `[batch, n, width]`
  ///   - counts: of each sample, how many of its first tokens are seen; nil for all.
  func callAsFunction(_ x: Variable, seeing counts: [Int]? = nil) -> Variable {
    let normal = norm1(x)
    let attention = Variable.attention(
      q(normal), k(normal), v(normal), heads: heads, isCausal: true, keyCounts: counts,
      compute: q.compute)
    let attended = x + out(attention)
    return attended + narrow(wide(norm2(attended)).activated(activation))
  }
}
