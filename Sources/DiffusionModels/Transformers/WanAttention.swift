import Autograd

/// Attention among tokens that know their places; queries and keys are normalized over the whole width.
struct WanSelfAttention {
  private let q, k, v, o, normQ, normK: Layer
  private let heads: Int

  init(
    _ builder: inout LayerBuilder, _ path: String, width: Int, heads: Int, _ epsilon: Float
  ) throws {
    q = try builder.linear(path + ".q", from: width, to: width)
    k = try builder.linear(path + ".k", from: width, to: width)
    v = try builder.linear(path + ".v", from: width, to: width)
    o = try builder.linear(path + ".o", from: width, to: width)
    normQ = try builder.rmsNorm(path + ".norm_q", width, epsilon: epsilon)
    normK = try builder.rmsNorm(path + ".norm_k", width, epsilon: epsilon)
    self.heads = heads
  }

  var layers: [Layer] { [q, k, v, o, normQ, normK] }

  func callAsFunction(_ x: Variable, _ table: RotaryTable) -> Variable {
    o(
      .attention(
        normQ(q(x)).rotated(by: table, heads: heads), normK(k(x)).rotated(by: table, heads: heads),
        v(x), heads: heads, compute: q.compute))
  }
}

/// Attention to a text, and to a picture where the model has seen one; both are added up.
struct WanCrossAttention {
  private let q, k, v, o, normQ, normK: Layer
  private let picture: (k: Layer, v: Layer, normK: Layer)?
  private let heads: Int

  init(
    _ builder: inout LayerBuilder, _ path: String, width: Int, heads: Int, _ epsilon: Float
  ) throws {
    q = try builder.linear(path + ".q", from: width, to: width)
    k = try builder.linear(path + ".k", from: width, to: width)
    v = try builder.linear(path + ".v", from: width, to: width)
    o = try builder.linear(path + ".o", from: width, to: width)
    normQ = try builder.rmsNorm(path + ".norm_q", width, epsilon: epsilon)
    normK = try builder.rmsNorm(path + ".norm_k", width, epsilon: epsilon)
    picture =
      builder.has(path + ".k_img")
      ? (
        try builder.linear(path + ".k_img", from: width, to: width),
        try builder.linear(path + ".v_img", from: width, to: width),
        try builder.rmsNorm(path + ".norm_k_img", width, epsilon: epsilon)
      ) : nil
    self.heads = heads
  }

  var layers: [Layer] {
    [q, k, v, o, normQ, normK] + (picture.map { [$0.k, $0.v, $0.normK] } ?? [])
  }

  func callAsFunction(_ x: Variable, text: Variable, picture seen: Variable?) -> Variable {
    let queries = normQ(q(x))
    let told = Variable.attention(
      queries, normK(k(text)), v(text), heads: heads, compute: q.compute)
    guard let picture, let seen else { return o(told) }
    let shown = Variable.attention(
      queries, picture.normK(picture.k(seen)), picture.v(seen), heads: heads, compute: q.compute)
    return o(told + shown)
  }
}
