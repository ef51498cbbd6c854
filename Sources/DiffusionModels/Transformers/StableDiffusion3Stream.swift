import Autograd
import Tensors

/// What a block of Stable Diffusion 3 does with the tokens of one kind, those of the picture or those of the text.
struct StableDiffusion3Stream {
  private let modulation: Layer
  private let attention: StableDiffusion3Attention
  /// Among the tokens of the stream alone.
  private let ownAttention: StableDiffusion3Attention?
  /// nil of the text in the last block, which ends with its keys and values.
  private let perceptron: PerceptronEmbedding?
  private let width: Int
  private let configuration: StableDiffusion3Configuration

  /// Paths of a stream in the two spellings of which a graph may be made.
  struct Names {
    /// `joint_blocks.0.x_block.`
    let native: String
    /// Of the separate projections of both attentions, in full.
    let parts, ownParts: [String]
  }

  /// - Parameter isRead: whether anything reads the stream behind the block.
  init(
    _ builder: inout LayerBuilder, _ names: Names, width: Int, heads: Int,
    _ configuration: StableDiffusion3Configuration, isRead: Bool
  ) throws {
    let (native, epsilon) = (names.native, configuration.epsilon)
    let own = native + "attn2."
    attention = try StableDiffusion3Attention(
      &builder, .init(native: native + "attn.", parts: names.parts), width: width, heads: heads,
      epsilon, isRead: isRead)
    let hasOwn =
      builder.has(own + "qkv") || names.ownParts.contains { builder.has($0) }
    ownAttention =
      hasOwn
      ? try StableDiffusion3Attention(
        &builder, .init(native: own, parts: names.ownParts), width: width, heads: heads, epsilon)
      : nil
    perceptron =
      isRead
      ? try PerceptronEmbedding(
        &builder, native + "mlp.fc1", native + "mlp.fc2", .tanhGELU, from: width, to: width) : nil
    modulation = try builder.linear(
      native + "adaLN_modulation.1", from: width, to: (!isRead ? 2 : hasOwn ? 9 : 6) * width)
    (self.width, self.configuration) = (width, configuration)
  }

  var layers: [Layer] {
    attention.layers + (ownAttention?.layers ?? []) + (perceptron?.layers ?? []) + [modulation]
  }
  var compute: ComputeType { attention.compute }

  /// What of a stream takes part in the attention, and what comes behind.
  struct Step {
    let q, k, v: Variable
    fileprivate let parts: Variable
    /// The tokens, normalized.
    fileprivate let normal: Variable
  }

  /// - Parameters:
  ///   - x: `[batch, tokens, width]`
  ///   - vector: `[batch, width]`, behind SiLU.
  func begin(_ x: Variable, _ vector: Variable) -> Step {
    let parts = modulation(vector)
    let normal = x.layerNormalized(epsilon: configuration.epsilon)
    let scalesFirst = perceptron == nil && configuration.scalesFirst
    let (q, k, v) = attention.project(
      normal.modulated(
        scale: part(scalesFirst ? 0 : 1, of: parts), shift: part(scalesFirst ? 1 : 0, of: parts)))
    return Step(q: q, k: k, v: v, parts: parts, normal: normal)
  }

  /// - Parameter attended: of the tokens of the stream.
  /// - Returns: nil where nothing reads it.
  func end(_ x: Variable, _ attended: Variable, _ step: Step) -> Variable? {
    guard let perceptron else { return nil }
    let parts = step.parts
    var x = x.addingGated(attention.output(attended), by: part(2, of: parts))
    if let ownAttention {
      let normal = step.normal.modulated(scale: part(7, of: parts), shift: part(6, of: parts))
      x = x.addingGated(ownAttention(normal), by: part(8, of: parts))
    }
    let normal = x.layerNormalized(epsilon: configuration.epsilon)
      .modulated(scale: part(4, of: parts), shift: part(3, of: parts))
    return x.addingGated(perceptron(normal), by: part(5, of: parts))
  }

  private func part(_ index: Int, of parts: Variable) -> Variable {
    parts.channels(index * width..<(index + 1) * width)
  }
}
