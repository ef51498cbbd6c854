package import Autograd
import LinearAlgebra
import Tensors

/// The transformer of Wan 2.1 and 2.2, which finds the flow of a video.
///
/// Source: Wan-Video/Wan2.1 `wan/modules/model.py`; musubi-tuner `wan/modules/model.py` trains the same graph. Norms,
/// modulation and attention are computed in f32.
package struct WanTransformer {
  /// Whether blocks keep only their inputs for the backward pass.
  package var checkpointsBlocks = false
  package let layers: [Layer]
  package let configuration: WanConfiguration

  private let patch: Layer
  private let text, time: PerceptronEmbedding
  private let projection: Layer
  private let picture: WanPictureEmbedding?
  private let blocks: [WanBlock]
  private let head: Layer
  /// `[2 · width]`, added to what the time says.
  private let modulation: Variable
  private let rotation: RotaryGrid
  private let width: Int

  private static let patchExtents = PatchExtents(frames: 1, height: 2, width: 2)

  /// - Parameter streamedBlocks: how many of the blocks, the last ones, are not kept in memory.
  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: any ParameterSource, configuration: WanConfiguration, compute: ComputeType = .f32,
    storage: FrozenStorage = .compute, streamedBlocks: Int = 0
  ) throws {
    var builder = LayerBuilder(
      source, component: "unet", compute: compute, storage: storage,
      streamedBlocks: streamedBlocks)
    patch = try builder.patchEmbedding("patch_embedding", Self.patchExtents)
    width = patch.weightShape.rows
    let width = width
    let heads = try builder.heads(configuration.heads, of: width, at: "patch_embedding")
    try builder.require(
      "heads", width / heads, multipleOf: WanConfiguration.headStep, at: "blocks.0.self_attn")
    text = try PerceptronEmbedding(
      &builder, "text_embedding.0", "text_embedding.2", .tanhGELU, to: width)
    time = try PerceptronEmbedding(
      ofWaves: &builder, "time_embedding.0", "time_embedding.2", to: width)
    projection = try builder.linear("time_projection.1", from: width, to: 6 * width)
    picture =
      builder.has("img_emb.proj.1") ? try WanPictureEmbedding(&builder, to: width) : nil
    let count = builder.count("blocks", having: "norm3", "ffn.0")
    blocks = try (0..<count).map { index in
      try builder.block(index, of: count) {
        try WanBlock(&$0, "blocks.\(index)", width: width, heads: heads, configuration)
      }
    }
    head = try builder.linear("head.head", from: width)
    modulation = Variable(
      try builder.values("head", "modulation", [1, 2, width]).reshaped([2 * width]))
    rotation = RotaryGrid(
      axes: configuration.axes(ofHead: width / heads), theta: configuration.theta)
    layers = builder.layers
    self.configuration = configuration
  }

  /// Channels of what is seen of the video: those of the latents, and of what is known of them.
  package var channels: Int { patch.weightShape.dimensions[1] }

  /// Channels of the flow, those of the latents.
  package var outputs: Int { head.weightShape.rows / Self.patchExtents.count }

  /// - Parameters:
  ///   - latents: `[batch, frames, height, width, channels]`, noisy, and what is known of them behind.
  ///   - times: from 0 to 1000.
  ///   - text: `[batch, textLength, columns]`, zeros beyond the caption.
  ///   - picture: `[batch, rows, columns]`, what CLIP sees in the first picture.
  /// - Returns: `[batch, frames, height, width, out]`
  package func callAsFunction(
    _ latents: Variable, at times: [Float], text: Variable, picture seen: Variable?
  ) -> Variable {
    let (extents, grid) = (latents.shape.dimensions, Self.patchExtents.grid(of: latents.shape))
    let table = rotation[grid]
    let moment = time(
      Variable(Tensor.waves(of: times.map { Double($0) }, width: time.inputs)))
    let modulations = projection(moment.activated(.silu))
    let context = self.text(text)
    let shown = picture.flatMap { picture in seen.map { picture($0) } }
    var x = patch(latents.patched(Self.patchExtents))
    for block in blocks {
      let inputs = [x, modulations, context] + (shown.map { [$0] } ?? [])
      x = BlockCheckpoint(isActive: checkpointsBlocks, block.layers).run(inputs) {
        block($0[0], time: $0[1], text: $0[2], picture: $0.count > 3 ? $0[3] : nil, table)
      }
    }
    let shift = moment.addingRow(modulation.channels(0..<width))
    let scale = moment.addingRow(modulation.channels(width..<2 * width))
    let flow = head(
      x.layerNormalized(epsilon: configuration.epsilon).modulated(scale: scale, shift: shift))
    return flow.unpatched(
      Self.patchExtents, to: Shape(extents.dropLast() + [outputs]), .channelsLast)
  }
}

/// What CLIP sees in a picture, brought to the width of the tokens.
private struct WanPictureEmbedding {
  private let norm, output: Layer
  private let perceptron: PerceptronEmbedding

  init(_ builder: inout LayerBuilder, to width: Int) throws {
    let inputs = try builder.shape(of: "img_emb.proj.1").columns
    norm = try builder.layerNorm("img_emb.proj.0", inputs)
    perceptron = try PerceptronEmbedding(
      &builder, "img_emb.proj.1", "img_emb.proj.3", .gelu, from: inputs, to: width)
    output = try builder.layerNorm("img_emb.proj.4", width)
  }

  func callAsFunction(_ picture: Variable) -> Variable { output(perceptron(norm(picture))) }
}
