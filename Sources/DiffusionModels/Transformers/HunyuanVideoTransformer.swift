package import Autograd
import LinearAlgebra
import Tensors

/// The transformer of HunyuanVideo, which finds the flow of a video.
///
/// Source: Tencent/HunyuanVideo `hyvideo/modules/models.py`; musubi-tuner `hunyuan_model/models.py` trains the same
/// graph. Rows of text beyond the caption are not seen by anything, so they may be cut.
package struct HunyuanVideoTransformer {
  /// Whether blocks keep only their inputs for the backward pass.
  package var checkpointsBlocks = false
  package let layers: [Layer]
  package let configuration: HunyuanVideoConfiguration

  private let patch: Layer
  private let refiner: HunyuanVideoRefiner
  private let time, vector: PerceptronEmbedding
  private let guidance: PerceptronEmbedding?
  private let blocks: StreamBlocks
  private let rotation: RotaryGrid

  private static let patchExtents = PatchExtents(frames: 1, height: 2, width: 2)

  private static let names = StreamNames(
    modulation: "mod.linear", qkv: "attn_qkv", queryNorm: "attn_q_norm", keyNorm: "attn_k_norm",
    projection: "attn_proj", first: "mlp.fc1", second: "mlp.fc2",
    singleModulation: "modulation.linear", singleQueryNorm: "q_norm", singleKeyNorm: "k_norm")

  /// - Parameter streamedBlocks: how many of the blocks, the last ones, are not kept in memory.
  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: any ParameterSource, configuration: HunyuanVideoConfiguration,
    compute: ComputeType = .f32, storage: FrozenStorage = .compute, streamedBlocks: Int = 0
  ) throws {
    let epsilon = configuration.epsilon
    var builder = LayerBuilder(
      source, component: "unet", compute: compute, storage: storage,
      streamedBlocks: streamedBlocks)
    patch = try builder.patchEmbedding("img_in.proj", Self.patchExtents)
    let width = patch.weightShape.rows
    let head = try builder.shape(of: "double_blocks.0.img_attn_q_norm").count
    try builder.require(
      "heads", head, multipleOf: HunyuanVideoConfiguration.headStep,
      at: "double_blocks.0.img_attn_q_norm")
    let heads = try builder.heads(.width(head), of: width, at: "img_in.proj")
    refiner = try HunyuanVideoRefiner(&builder, width: width, heads: heads, epsilon)
    time = try PerceptronEmbedding(
      ofWaves: &builder, "time_in.mlp.0", "time_in.mlp.2", to: width)
    vector = try PerceptronEmbedding(
      &builder, "vector_in.in_layer", "vector_in.out_layer", to: width)
    guidance =
      builder.has("guidance_in.mlp.0")
      ? try PerceptronEmbedding(
        ofWaves: &builder, "guidance_in.mlp.0", "guidance_in.mlp.2", to: width) : nil
    blocks = try StreamBlocks(
      &builder, Self.names, width: width, head: head, epsilon: epsilon,
      scalesFirst: configuration.scalesFirst)
    rotation = RotaryGrid(axes: configuration.axes(ofHead: head), theta: configuration.theta)
    layers = builder.layers
    self.configuration = configuration
  }

  /// Channels of what is seen of the video.
  package var channels: Int { patch.weightShape.dimensions[1] }

  /// Channels of the flow, those of the latents.
  package var outputs: Int { blocks.outputs / Self.patchExtents.count }

  /// - Parameters:
  ///   - latents: `[batch, frames, height, width, channels]`, noisy, and what is known of them behind.
  ///   - times: from 0 to 1000.
  ///   - text: `[batch, rows, columns]`, of a language model.
  ///   - counts: rows of each sample that are text, at least one.
  ///   - caption: `[batch, columns]`, of CLIP.
  ///   - guidance: what a model that was distilled is told.
  /// - Returns: `[batch, frames, height, width, out]`
  package func callAsFunction(
    _ latents: Variable, at times: [Float], text: Variable, counts: [Int], caption: Variable,
    guidance strength: Float
  ) -> Variable {
    let (extents, grid) = (latents.shape.dimensions, Self.patchExtents.grid(of: latents.shape))
    let table = rotation[grid]
    var moment =
      time(Variable(Tensor.waves(of: times, width: time.inputs))) + vector(caption)
    if let guidance {
      let strengths = [Float](repeating: strength, count: times.count)
      moment =
        moment + guidance(Variable(Tensor.waves(of: strengths, width: guidance.inputs)))
    }
    let flow = blocks(
      patch(latents.patched(Self.patchExtents)), refiner(text, counts, at: times),
      moment.activated(.silu), table, counts: counts, noisy: table.tokens,
      checkpoints: checkpointsBlocks)
    return flow.unpatched(
      Self.patchExtents, to: Shape(extents.dropLast() + [outputs]), .channelsFirst)
  }
}
