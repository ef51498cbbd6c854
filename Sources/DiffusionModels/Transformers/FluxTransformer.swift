package import Autograd
import LinearAlgebra
import Tensors

/// The transformer of Flux.1, which finds the flow of a picture, with another picture beside it if it is Kontext.
///
/// Source: black-forest-labs/flux `src/flux/model.py`; sd-scripts `library/flux_models.py` and musubi-tuner
/// `flux/flux_models.py` train the same graph.
package struct FluxTransformer {
  /// Whether blocks keep only their inputs for the backward pass.
  package var checkpointsBlocks = false
  package let layers: [Layer]
  package let configuration: FluxConfiguration

  private let picture, text: Layer
  private let time, vector: PerceptronEmbedding
  private let guidance: PerceptronEmbedding?
  private let blocks: StreamBlocks
  private let rotation: RotaryGrid

  private static let patch = PatchExtents(frames: 1, height: 2, width: 2)

  private static let names = StreamNames(
    modulation: "mod.lin", qkv: "attn.qkv", queryNorm: "attn.norm.query_norm",
    keyNorm: "attn.norm.key_norm", projection: "attn.proj", first: "mlp.0", second: "mlp.2",
    singleModulation: "modulation.lin", singleQueryNorm: "norm.query_norm",
    singleKeyNorm: "norm.key_norm")

  /// - Parameter streamedBlocks: how many of the blocks, the last ones, are not kept in memory.
  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: any ParameterSource, configuration: FluxConfiguration = FluxConfiguration(),
    compute: ComputeType = .f32, storage: FrozenStorage = .compute, streamedBlocks: Int = 0
  ) throws {
    var builder = LayerBuilder(
      source, component: "unet", compute: compute, storage: storage,
      streamedBlocks: streamedBlocks)
    picture = try builder.linear("img_in", from: nil)
    let width = picture.weightShape.rows
    try builder.require(
      "patches", picture.weightShape.columns, multipleOf: Self.patch.count, at: "img_in")
    let norm = "double_blocks.0.img_attn.norm.query_norm"
    let head = try builder.shape(of: norm).count
    let axes = try configuration.axes(ofHead: head, builder, at: norm)
    _ = try builder.heads(.width(head), of: width, at: "img_in")
    time = try PerceptronEmbedding(
      ofWaves: &builder, "time_in.in_layer", "time_in.out_layer", to: width)
    vector = try PerceptronEmbedding(
      &builder, "vector_in.in_layer", "vector_in.out_layer", to: width)
    guidance =
      builder.has("guidance_in.in_layer")
      ? try PerceptronEmbedding(
        ofWaves: &builder, "guidance_in.in_layer", "guidance_in.out_layer", to: width) : nil
    text = try builder.linear("txt_in", from: nil, to: width)
    blocks = try StreamBlocks(
      &builder, Self.names, width: width, head: head, epsilon: configuration.epsilon,
      scalesFirst: configuration.scalesFirst)
    rotation = RotaryGrid(axes: axes, theta: configuration.theta)
    layers = builder.layers
    self.configuration = configuration
  }

  /// Channels of the flow, those of the latents.
  package var outputs: Int { blocks.outputs / Self.patch.count }

  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]`, noisy, both sides even.
  ///   - control: `[batch, height', width', channels]`, of another picture, which has places of its own.
  ///   - times: from 0 to 1000.
  ///   - text: `[batch, rows, columns]`, of T5; one row at least.
  ///   - counts: rows of each sample that are seen, the first ones.
  ///   - caption: `[batch, columns]`, of CLIP.
  ///   - guidance: what a model that was distilled is told; a thousandfold goes in.
  /// - Returns: as the noisy latents.
  package func callAsFunction(
    _ latents: Variable, control: Variable? = nil, at times: [Float], text words: Variable,
    counts: [Int], caption: Variable, guidance strength: Float
  ) -> Variable {
    var moment =
      time(Variable(Tensor.waves(of: times, width: time.inputs))) + vector(caption)
    if let guidance {
      let strengths = [Float](repeating: 1000 * strength, count: times.count)
      moment =
        moment + guidance(Variable(Tensor.waves(of: strengths, width: guidance.inputs)))
    }
    let pictures = ([latents] + [control].compactMap(\.self)).map(\.asOneFrame)
    let grids = pictures.map { Self.patch.grid(of: $0.shape) }
    let table = rotation.table(of: grids.flatMap(\.self)) {
      // A picture's index is its place on the first axis.
      let places = grids.enumerated().map { index, grid in
        RotaryTable.places(ofGrid: [index..<index + 1, 0..<grid[1], 0..<grid[2]])
      }
      return (0...2).map { axis in places.flatMap { $0[axis] } }
    }
    let tokens = pictures.map { picture($0.patched(Self.patch)) }
    let flow = blocks(
      tokens.dropFirst().reduce(tokens[0]) { $0.appendingTokens($1) }, text(words),
      moment.activated(.silu), table, counts: counts, noisy: tokens[0].shape.dimensions[1],
      checkpoints: checkpointsBlocks)
    let extents = pictures[0].shape.dimensions.dropLast() + [outputs]
    return flow.unpatched(Self.patch, to: Shape(Array(extents)), .channelsFirst)
      .reshaped(Shape(latents.shape.dimensions.dropLast() + [outputs]))
  }
}

extension Variable {
  /// `[batch, height, width, channels]` as `[batch, 1, height, width, channels]`.
  fileprivate var asOneFrame: Variable {
    guard shape.dimensions.count == 4 else { return self }
    var extents = shape.dimensions
    extents.insert(1, at: 1)
    return reshaped(Shape(extents))
  }
}
