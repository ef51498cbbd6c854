import Autograd
import Tensors

/// What a double block of HunyuanVideo does with the tokens of one kind, those of the video or those of the text.
struct HunyuanVideoStream {
  private let modulation: Layer
  private let qkv: FusedProjection
  private let normQ, normK, proj: Layer
  private let first, second: Layer
  private let width: Int
  private let epsilon: Float

  /// Paths of a stream in the two spellings of which a graph may be made.
  struct Names {
    /// `double_blocks.0.img_`
    let native: String
    /// Of the separate projections, in full.
    let parts: [String]
  }

  init(
    _ builder: inout LayerBuilder, _ names: Names, width: Int, head: Int, _ epsilon: Float
  ) throws {
    let native = names.native
    modulation = try builder.linear(native + "mod.linear", from: width, to: 6 * width)
    qkv = try FusedProjection(
      &builder, native + "attn_qkv", else: names.parts, from: width,
      to: [width, width, width])
    normQ = try builder.rmsNorm(native + "attn_q_norm", head, epsilon: epsilon)
    normK = try builder.rmsNorm(native + "attn_k_norm", head, epsilon: epsilon)
    proj = try builder.linear(native + "attn_proj", from: width, to: width)
    first = try builder.linear(native + "mlp.fc1", from: width)
    second = try builder.linear(native + "mlp.fc2", from: first.weightShape.rows, to: width)
    (self.width, self.epsilon) = (width, epsilon)
  }

  var layers: [Layer] { [modulation] + qkv.layers + [normQ, normK, proj, first, second] }
  var compute: ComputeType { proj.compute }

  /// What of a stream takes part in the attention, and what comes behind.
  struct Step {
    let q, k, v: Variable
    fileprivate let parts: Variable
  }

  /// - Parameters:
  ///   - x: `[batch, tokens, width]`
  ///   - vector: `[batch, width]`, behind SiLU.
  ///   - table: nil for tokens without a place.
  func begin(_ x: Variable, _ vector: Variable, _ table: RotaryTable?, heads: Int) -> Step {
    let parts = modulation(vector)
    let normal = x.layerNormalized(epsilon: epsilon)
      .modulated(scale: part(1, of: parts), shift: part(0, of: parts))
    let projected = qkv(normal)
    let (q, k) = (normQ(projected[0]), normK(projected[1]))
    return Step(
      q: table.map { q.rotated(by: $0, heads: heads) } ?? q,
      k: table.map { k.rotated(by: $0, heads: heads) } ?? k, v: projected[2], parts: parts)
  }

  /// - Parameter attended: of the tokens of the stream.
  func end(_ x: Variable, _ attended: Variable, _ step: Step) -> Variable {
    let x = x.addingGated(proj(attended), by: part(2, of: step.parts))
    let normal = x.layerNormalized(epsilon: epsilon)
      .modulated(scale: part(4, of: step.parts), shift: part(3, of: step.parts))
    return x.addingGated(
      second(first(normal).activated(.tanhGELU)), by: part(5, of: step.parts))
  }

  private func part(_ index: Int, of parts: Variable) -> Variable {
    parts.channels(index * width..<(index + 1) * width)
  }
}
