import Autograd

/// The projections of an attention of Stable Diffusion 3; queries and keys are normalized by heads where the model has
/// norms for it.
struct StableDiffusion3Attention {
  private let qkv: FusedProjection
  private let norms: (q: Layer, k: Layer)?
  /// nil where nothing reads what is attended.
  private let proj: Layer?
  private let heads: Int

  /// Paths in the two spellings of which a graph may be made.
  struct Names {
    /// `joint_blocks.0.x_block.attn.`
    let native: String
    /// Of the separate projections, in full.
    let parts: [String]
  }

  init(
    _ builder: inout LayerBuilder, _ names: Names, width: Int, heads: Int, _ epsilon: Float,
    isRead: Bool = true
  ) throws {
    let native = names.native
    qkv = try FusedProjection(
      &builder, native + "qkv", else: names.parts, from: width, to: [width, width, width])
    norms =
      builder.has(native + "ln_q") || builder.has(native + "ln_k")
      ? (
        try builder.rmsNorm(native + "ln_q", width / heads, epsilon: epsilon),
        try builder.rmsNorm(native + "ln_k", width / heads, epsilon: epsilon)
      ) : nil
    proj = isRead ? try builder.linear(native + "proj", from: width, to: width) : nil
    self.heads = heads
  }

  var layers: [Layer] {
    qkv.layers + (norms.map { [$0.q, $0.k] } ?? []) + (proj.map { [$0] } ?? [])
  }
  var compute: ComputeType { qkv.compute }

  /// Queries, keys and values of `[batch, tokens, width]`, each of that shape.
  func project(_ x: Variable) -> (q: Variable, k: Variable, v: Variable) {
    let projected = qkv(x)
    guard let norms else { return (projected[0], projected[1], projected[2]) }
    return (norms.q(projected[0]), norms.k(projected[1]), projected[2])
  }

  /// What becomes of what was attended.
  func output(_ attended: Variable) -> Variable { proj.map { $0(attended) } ?? attended }

  /// Attention of the tokens among themselves.
  func callAsFunction(_ x: Variable) -> Variable {
    let (q, k, v) = project(x)
    return output(.attention(q, k, v, heads: heads, compute: compute))
  }
}
