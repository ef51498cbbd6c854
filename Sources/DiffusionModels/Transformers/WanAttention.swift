import Autograd

/// The four projections of an attention of Wan; queries and keys are normalized over the whole width.
struct WanProjections {
  let q, k, v, o, normQ, normK: Layer

  init(_ builder: inout LayerBuilder, _ path: String, width: Int, _ epsilon: Float) throws {
    q = try builder.linear(path + ".q", from: width, to: width)
    k = try builder.linear(path + ".k", from: width, to: width)
    v = try builder.linear(path + ".v", from: width, to: width)
    o = try builder.linear(path + ".o", from: width, to: width)
    normQ = try builder.rmsNorm(path + ".norm_q", width, epsilon: epsilon)
    normK = try builder.rmsNorm(path + ".norm_k", width, epsilon: epsilon)
  }

  var layers: [Layer] { [q, k, v, o, normQ, normK] }
}

/// Attention among tokens that know their places.
struct WanSelfAttention {
  private let projections: WanProjections
  private let heads: Int

  init(
    _ builder: inout LayerBuilder, _ path: String, width: Int, heads: Int, _ epsilon: Float
  ) throws {
    projections = try WanProjections(&builder, path, width: width, epsilon)
    self.heads = heads
  }

  var layers: [Layer] { projections.layers }

  func callAsFunction(_ x: Variable, _ table: RotaryTable) -> Variable {
    let p = projections
    return p.o(
      .attention(
        p.normQ(p.q(x)).rotated(by: table, heads: heads),
        p.normK(p.k(x)).rotated(by: table, heads: heads), p.v(x), heads: heads,
        compute: p.q.compute))
  }
}

/// Attention to a text, and to a picture where the model has seen one; both are added up.
struct WanCrossAttention {
  private let projections: WanProjections
  private let picture: (k: Layer, v: Layer, normK: Layer)?
  private let heads: Int

  init(
    _ builder: inout LayerBuilder, _ path: String, width: Int, heads: Int, _ epsilon: Float
  ) throws {
    projections = try WanProjections(&builder, path, width: width, epsilon)
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
    projections.layers + (picture.map { [$0.k, $0.v, $0.normK] } ?? [])
  }

  func callAsFunction(_ x: Variable, text: Variable, picture seen: Variable?) -> Variable {
    let p = projections
    let queries = p.normQ(p.q(x))
    let told = Variable.attention(
      queries, p.normK(p.k(text)), p.v(text), heads: heads, compute: p.q.compute)
    guard let picture, let seen else { return p.o(told) }
    let shown = Variable.attention(
      queries, picture.normK(picture.k(seen)), picture.v(seen), heads: heads, compute: p.q.compute)
    return p.o(told + shown)
  }
}
