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

  /// Paths of its layers.
  struct Paths {
    let modulation: String
    /// Queries, keys and values in one layer; nil where no checkpoint has them so.
    let fused: String?
    /// The same apart.
    let projections: [String]
    let queryNorm, keyNorm, projection: String
    let first, second: String
  }

  init(
    _ builder: inout LayerBuilder, _ paths: Paths, width: Int, head: Int, _ epsilon: Float
  ) throws {
    modulation = try builder.linear(paths.modulation, from: width, to: 6 * width)
    qkv = try FusedProjection(
      &builder, paths.fused, else: paths.projections, from: width, to: [width, width, width])
    normQ = try builder.rmsNorm(paths.queryNorm, head, epsilon: epsilon)
    normK = try builder.rmsNorm(paths.keyNorm, head, epsilon: epsilon)
    proj = try builder.linear(paths.projection, from: width, to: width)
    first = try builder.linear(paths.first, from: width)
    second = try builder.linear(paths.second, from: first.weightShape.rows, to: width)
    (self.width, self.epsilon) = (width, epsilon)
  }

  var layers: [Layer] { [modulation] + qkv.layers + [normQ, normK, proj, first, second] }
  var compute: ComputeType { proj.compute }

  /// What of a stream takes part in the attention, and what comes behind.
  struct Step {
    let q, k, v: Variable
    fileprivate let modulations: Modulations
  }

  /// What modulates tokens: six vectors in one row, and others for the tokens behind some.
  fileprivate struct Modulations {
    let parts: Variable
    let others: (parts: Variable, from: Int)?
  }

  /// - Parameters:
  ///   - x: `[batch, tokens, width]`
  ///   - vector: `[batch, width]`, behind SiLU.
  ///   - other: that of the tokens behind some; nil where one is for all.
  ///   - table: nil for tokens without a place.
  func begin(
    _ x: Variable, _ vector: Variable, _ other: (vector: Variable, from: Int)?,
    _ table: RotaryTable?, heads: Int
  ) -> Step {
    let modulations = Modulations(
      parts: modulation(vector), others: other.map { (modulation($0.vector), $0.from) })
    let projected = qkv(normalized(x, modulations, shift: 0, scale: 1))
    let (q, k) = (normQ(projected[0]), normK(projected[1]))
    return Step(
      q: table.map { q.rotated(by: $0, heads: heads) } ?? q,
      k: table.map { k.rotated(by: $0, heads: heads) } ?? k, v: projected[2],
      modulations: modulations)
  }

  /// - Parameter attended: of the tokens of the stream.
  func end(_ x: Variable, _ attended: Variable, _ step: Step) -> Variable {
    let x = adding(proj(attended), to: x, step.modulations, gate: 2)
    let normal = normalized(x, step.modulations, shift: 3, scale: 4)
    return adding(
      second(first(normal).activated(.tanhGELU)), to: x, step.modulations, gate: 5)
  }

  private func normalized(
    _ x: Variable, _ modulations: Modulations, shift: Int, scale: Int
  ) -> Variable {
    let normal = x.layerNormalized(epsilon: epsilon)
    func modulated(_ x: Variable, _ parts: Variable) -> Variable {
      x.modulated(scale: part(scale, of: parts), shift: part(shift, of: parts))
    }
    guard let others = modulations.others else { return modulated(normal, modulations.parts) }
    let count = x.shape.dimensions[1]
    return modulated(normal.tokens(0..<others.from), modulations.parts)
      .appendingTokens(modulated(normal.tokens(others.from..<count), others.parts))
  }

  private func adding(
    _ y: Variable, to x: Variable, _ modulations: Modulations, gate: Int
  ) -> Variable {
    guard let others = modulations.others else {
      return x.addingGated(y, by: part(gate, of: modulations.parts))
    }
    let (first, rest) = (0..<others.from, others.from..<x.shape.dimensions[1])
    return x.tokens(first)
      .addingGated(y.tokens(first), by: part(gate, of: modulations.parts))
      .appendingTokens(
        x.tokens(rest).addingGated(y.tokens(rest), by: part(gate, of: others.parts)))
  }

  private func part(_ index: Int, of parts: Variable) -> Variable {
    parts.channels(index * width..<(index + 1) * width)
  }
}
