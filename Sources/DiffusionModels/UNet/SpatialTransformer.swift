import Autograd
import Tensors

/// Transformer blocks over the pixels of an image, between two projections, added to the image.
struct SpatialTransformer {
  private let norm, projectIn, projectOut: Layer
  private let blocks: [TransformerBlock]

  /// - Parameter context: width of the text's tokens.
  init(
    _ builder: inout LayerBuilder, _ path: String, width: Int, context: Int, level: Int,
    _ configuration: UNetConfiguration
  ) throws {
    norm = try builder.groupNorm(
      path + ".norm", width, groups: configuration.groups, epsilon: 1e-6, silu: false)
    projectIn = try builder.linear(path + ".proj_in", from: width)
    let inner = projectIn.weightShape.rows
    let heads = try builder.heads(configuration.heads, level: level, of: inner, at: path)
    blocks = try (0..<builder.count(path + ".transformer_blocks", having: "norm1", "attn1.to_q"))
      .map {
        try TransformerBlock(
          &builder, "\(path).transformer_blocks.\($0)", width: inner, context: context, heads: heads
        )
      }
    projectOut = try builder.linear(path + ".proj_out", from: inner, to: width)
  }

  /// `[batch, height, width, channels]`: pixels are tokens in the order of rows.
  func callAsFunction(_ x: Variable, context: Variable, checkpointing: Bool) -> Variable {
    let d = x.shape.dimensions
    var tokens = projectIn(norm(x).reshaped([d[0], d[1] * d[2], d[3]]))
    for block in blocks {
      tokens = BlockCheckpoint(isActive: checkpointing, block.layers).run([tokens, context]) {
        block($0[0], context: $0[1])
      }
    }
    return x + projectOut(tokens).reshaped(x.shape)
  }
}
