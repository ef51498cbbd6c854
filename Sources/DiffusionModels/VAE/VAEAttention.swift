import Autograd
import Tensors

/// Attention of one head among the pixels in the middle of an autoencoder.
struct VAEAttention {
  private let norm, q, k, v, out: Layer

  init(_ builder: inout LayerBuilder, _ path: String, width: Int, groups: Int) throws {
    norm = try builder.groupNorm(
      path + ".group_norm", width, groups: groups, epsilon: 1e-6, silu: false)
    // What diffusers called them before version 0.18, and such files are about.
    func linear(_ name: String, before: String) throws -> Layer {
      let isOld = builder.has("\(path).\(before)")
      return try builder.linear(
        "\(path).\(isOld ? before : name)", from: width, to: width)
    }
    q = try linear("to_q", before: "query")
    k = try linear("to_k", before: "key")
    v = try linear("to_v", before: "value")
    out = try linear("to_out.0", before: "proj_attn")
  }

  /// `[batch, height, width, channels]`
  func callAsFunction(_ x: Variable) -> Variable {
    let d = x.shape.dimensions
    let normal = norm(x).reshaped([d[0], d[1] * d[2], d[3]])
    let attended = Variable.attention(
      q(normal), k(normal), v(normal), heads: 1, compute: q.compute)
    return x + out(attended).reshaped(x.shape)
  }
}

/// The middle of an encoder or decoder: attention between two residual blocks.
struct VAEMiddle {
  private let first, last: ResidualBlock
  private let attention: VAEAttention

  init(_ builder: inout LayerBuilder, _ path: String, width: Int, groups: Int) throws {
    first = try ResidualBlock(vae: &builder, "\(path).resnets.0", from: width, groups: groups)
    attention = try VAEAttention(
      &builder, "\(path).attentions.0", width: first.outputs, groups: groups)
    last = try ResidualBlock(vae: &builder, "\(path).resnets.1", from: width, groups: groups)
  }

  /// Channels that go out.
  var outputs: Int { last.outputs }

  func callAsFunction(_ x: Variable) -> Variable { last(attention(first(x))) }
}

extension ResidualBlock {
  /// One of an autoencoder, which knows no timestep.
  init(vae builder: inout LayerBuilder, _ path: String, from inputs: Int, groups: Int) throws {
    try self.init(
      &builder, path, from: inputs, embedding: nil, groups: groups, epsilon: 1e-6)
  }
}
