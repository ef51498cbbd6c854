import Autograd
import Tensors

/// What a double block does with the tokens of one kind, those of the picture or those of the text.
struct TokenStream {
  private let modulation: Layer
  private let qkv: FusedProjection
  private let normQ, normK, proj: Layer
  private let first, second: Layer
  private let width: Int
  private let epsilon: Float

  /// - Parameters:
  ///   - path: `double_blocks.0.img_`
  ///   - parts: paths of the separate projections, where a checkpoint has those.
  init(
    _ builder: inout LayerBuilder, _ path: String, parts: [String], _ names: StreamNames,
    width: Int, head: Int, _ epsilon: Float
  ) throws {
    modulation = try builder.linear(path + names.modulation, from: width, to: 6 * width)
    qkv = try FusedProjection(
      &builder, path + names.qkv, else: parts, from: width, to: [width, width, width])
    normQ = try builder.rmsNorm(path + names.queryNorm, head, epsilon: epsilon)
    normK = try builder.rmsNorm(path + names.keyNorm, head, epsilon: epsilon)
    proj = try builder.linear(path + names.projection, from: width, to: width)
    first = try builder.linear(path + names.first, from: width)
    second = try builder.linear(path + names.second, from: first.weightShape.rows, to: width)
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
