package import Autograd
import LinearAlgebra
import Tensors

/// The transformer of Stable Diffusion 3 and 3.5, which finds the flow of a picture.
///
/// Sources: Stability-AI/sd3.5 `mmditx.py`; diffusers `SD3Transformer2DModel`; sd-scripts `library/sd3_models.py` trains
/// the same graph, but for the second attention of 3.5 medium, for which it takes heads and their widths for each other.
package struct StableDiffusion3Transformer {
  /// Whether blocks keep only their inputs for the backward pass.
  package var checkpointsBlocks = false
  package let layers: [Layer]
  package let configuration: StableDiffusion3Configuration

  private let patch, text: Layer
  private let positions: PositionGrid
  private let time, vector: PerceptronEmbedding
  private let blocks: [StableDiffusion3Block]
  private let modulation, output: Layer
  private let width: Int

  private static let patchExtents = PatchExtents(frames: 1, height: 2, width: 2)

  /// - Parameter streamedBlocks: how many of the blocks, the last ones, are not kept in memory.
  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: any ParameterSource, configuration: StableDiffusion3Configuration,
    compute: ComputeType = .f32, storage: FrozenStorage = .compute, streamedBlocks: Int = 0
  ) throws {
    var builder = LayerBuilder(
      source, component: "unet", compute: compute, storage: storage,
      streamedBlocks: streamedBlocks)
    patch = try builder.patchEmbedding("x_embedder.proj", Self.patchExtents)
    let width = patch.weightShape.rows
    self.width = width
    positions = try PositionGrid(builder, "", "pos_embed", width: width)
    let norm = "joint_blocks.0.x_block.attn.ln_q"
    let rule = builder.has(norm) ? .width(try builder.shape(of: norm).count) : configuration.heads
    let heads = try builder.heads(rule, of: width, at: "x_embedder.proj")
    time = try PerceptronEmbedding(
      ofWaves: &builder, "t_embedder.mlp.0", "t_embedder.mlp.2", to: width)
    vector = try PerceptronEmbedding(
      &builder, "y_embedder.mlp.0", "y_embedder.mlp.2", to: width)
    text = try builder.linear("context_embedder", from: nil, to: width)
    let count = builder.count("joint_blocks", having: "x_block.attn.proj", "x_block.mlp.fc2")
    blocks = try (0..<count).map { index in
      try builder.block(index, of: count) {
        try StableDiffusion3Block(
          &$0, index, isLast: index == count - 1, width: width, heads: heads, configuration)
      }
    }
    modulation = try builder.linear(
      "final_layer.adaLN_modulation.1", from: width, to: 2 * width)
    output = try builder.linear("final_layer.linear", from: width)
    layers = builder.layers
    self.configuration = configuration
  }

  /// Columns of the text's rows, and of the vector.
  package var textWidth: Int { text.weightShape.columns }
  package var vectorWidth: Int { vector.inputs }

  /// Channels of the flow, those of the latents.
  package var outputs: Int { output.weightShape.rows / Self.patchExtents.count }

  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]`, noisy.
  ///   - times: from 0 to 1000.
  ///   - text: `[batch, rows, textWidth]`, of all encoders one behind the other.
  ///   - pooled: `[batch, vectorWidth]`
  /// - Returns: `[batch, height, width, outputs]`
  package func callAsFunction(
    _ latents: Variable, at times: [Float], text: Variable, pooled: Variable
  ) -> Variable {
    let extents = latents.shape.dimensions
    let picture = latents.reshaped(Shape([extents[0], 1] + extents.dropFirst()))
    let grid = Self.patchExtents.grid(of: picture.shape)
    let tokens = grid[1] * grid[2]
    let moment = time(Variable(Tensor.waves(of: times, width: time.inputs))) + vector(pooled)
    let condition = moment.activated(.silu)
    let places = Variable(positions[grid[1], grid[2]].reshaped([tokens * width]))
    var x = patch(picture.patched(Self.patchExtents))
      .reshaped([extents[0], tokens * width]).addingRow(places)
      .reshaped([extents[0], tokens, width])
    var words = self.text(text)
    let rows = words.shape.dimensions[1]
    for block in blocks {
      let both = BlockCheckpoint(isActive: checkpointsBlocks, block.layers)
        .run([words, x, condition]) { block($0[0], $0[1], $0[2]) }
      let count = both.shape.dimensions[1]
      if count > tokens { words = both.tokens(0..<rows) }
      x = both.tokens(count - tokens..<count)
    }
    let parts = modulation(condition)
    let (a, b) = (parts.channels(0..<width), parts.channels(width..<2 * width))
    let (shift, scale) = configuration.scalesFirst ? (b, a) : (a, b)
    let flow = output(
      x.layerNormalized(epsilon: configuration.epsilon).modulated(scale: scale, shift: shift))
    return flow.unpatched(
      Self.patchExtents, to: Shape(picture.shape.dimensions.dropLast() + [outputs]), .channelsLast
    ).reshaped(Shape(extents.dropLast() + [outputs]))
  }
}
