package import Autograd
import LinearAlgebra
import Tensors

/// The transformer of Qwen-Image, which finds the flow of an image, and of Qwen-Image-Edit, which sees others besides.
///
/// Source: diffusers `transformer_qwenimage.py`; musubi-tuner `qwen_image/qwen_image_model.py` trains the same graph. Rows
/// of text beyond the caption are not seen by anything.
package struct QwenImageTransformer {
  /// Whether blocks keep only their inputs for the backward pass.
  package var checkpointsBlocks = false
  package let layers: [Layer]
  package let configuration: QwenImageConfiguration

  private let patch, textNorm, text: Layer
  private let time: PerceptronEmbedding
  private let blocks: [DoubleStreamBlock]
  private let modulation, output: Layer
  private let rotation: QwenImageRotation
  private let width: Int

  private static let patchExtents = PatchExtents(frames: 1, height: 2, width: 2)

  /// - Parameter streamedBlocks: how many of the blocks, the last ones, are not kept in memory.
  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: any ParameterSource, configuration: QwenImageConfiguration,
    compute: ComputeType = .f32, storage: FrozenStorage = .compute, streamedBlocks: Int = 0
  ) throws {
    let epsilon = configuration.epsilon
    var builder = LayerBuilder(
      source, component: "unet", compute: compute, storage: storage,
      streamedBlocks: streamedBlocks)
    patch = try builder.linear("img_in", from: nil)
    width = patch.weightShape.rows
    let width = width
    try builder.require(
      "patches", patch.weightShape.columns, multipleOf: Self.patchExtents.count, at: "img_in")
    let norm = "transformer_blocks.0.attn.norm_q"
    let head = try builder.shape(of: norm).count
    try builder.require("heads", head, multipleOf: QwenImageConfiguration.headStep, at: norm)
    try builder.require("tokens", width, multipleOf: head, at: "img_in")
    textNorm = try builder.rmsNorm(
      "txt_norm", builder.shape(of: "txt_norm").count, epsilon: epsilon)
    text = try builder.linear("txt_in", from: textNorm.weightShape.count, to: width)
    time = try PerceptronEmbedding(
      ofWaves: &builder, "time_text_embed.timestep_embedder.linear_1",
      "time_text_embed.timestep_embedder.linear_2", to: width)
    let count = builder.count("transformer_blocks", having: "attn.to_q", "attn.to_out.0")
    blocks = try (0..<count).map { index in
      try builder.block(index, of: count) {
        let path = "transformer_blocks.\(index)."
        return try DoubleStreamBlock(
          &$0,
          picture: .init(path, "img", ["to_q", "to_k", "to_v"], norms: "norm_", "to_out.0"),
          text: .init(
            path, "txt", ["add_q_proj", "add_k_proj", "add_v_proj"], norms: "norm_added_",
            "to_add_out"), width: width, head: head, epsilon)
      }
    }
    modulation = try builder.linear("norm_out.linear", from: width, to: 2 * width)
    output = try builder.linear("proj_out", from: width)
    rotation = QwenImageRotation(
      axes: configuration.axes(ofHead: head), theta: configuration.theta)
    layers = builder.layers
    self.configuration = configuration
  }

  /// Channels of the flow, those of the latents.
  package var outputs: Int { output.weightShape.rows / Self.patchExtents.count }

  /// - Parameters:
  ///   - latents: `[batch, images, height, width, channels]`, noisy.
  ///   - times: from 0 to 1000.
  ///   - text: `[batch, rows, columns]`, of a language model.
  ///   - counts: rows of each sample that are text, at least one.
  ///   - shown: latents of other images that are seen, each with extents of its own.
  /// - Returns: `[batch, images, height, width, channels]`
  package func callAsFunction(
    _ latents: Variable, at times: [Float], text: Variable, counts: [Int], shown: [Variable] = []
  ) -> Variable {
    let extents = latents.shape.dimensions
    let all = [latents] + shown
    let grids = all.flatMap { image in
      let grid = Self.patchExtents.grid(of: image.shape)
      return Array(repeating: (rows: grid[1], columns: grid[2]), count: grid[0])
    }
    let patches = all.map { $0.patched(Self.patchExtents) }
    let tables = rotation(grids, rows: text.shape.dimensions[1])
    func condition(at times: [Float]) -> Variable {
      time(Variable(Tensor.waves(of: times, width: time.inputs))).activated(.silu)
    }
    let vector = condition(at: times)
    let noisy = patches[0].shape.dimensions[1]
    let still =
      configuration.showsAtTimeZero && !shown.isEmpty
      ? condition(at: Array(repeating: 0, count: times.count)) : nil
    let seen = counts.map { tables.picture.tokens + $0 }
    let tokens = patches.dropFirst().reduce(patches[0]) { $0.appendingTokens($1) }
    var image = patch(tokens)
    var words = self.text(textNorm(text))
    for (index, block) in blocks.enumerated() {
      let isLast = index == blocks.count - 1
      let both = BlockCheckpoint(isActive: checkpointsBlocks, block.layers)
        .run([image, words, vector] + (still.map { [$0] } ?? [])) {
          block(
            $0[0], $0[1], $0[2], other: $0.count > 3 ? ($0[3], noisy) : nil, tables, seen,
            endsText: !isLast)
        }
      image = both.tokens(0..<tables.picture.tokens)
      if !isLast { words = both.tokens(tables.picture.tokens..<both.shape.dimensions[1]) }
    }
    let parts = modulation(vector)
    let flow = output(
      image.tokens(0..<noisy)
        .layerNormalized(epsilon: configuration.epsilon)
        .modulated(scale: parts.channels(0..<width), shift: parts.channels(width..<2 * width)))
    return flow.unpatched(
      Self.patchExtents, to: Shape(extents.dropLast() + [outputs]), .channelsFirst)
  }
}

extension TokenStream.Paths {
  /// - Parameters:
  ///   - path: `transformer_blocks.0.`
  ///   - kind: `img` or `txt`.
  fileprivate init(
    _ path: String, _ kind: String, _ projections: [String], norms: String, _ projection: String
  ) {
    let attention = path + "attn."
    self.init(
      modulation: "\(path)\(kind)_mod.1", fused: nil,
      projections: projections.map { attention + $0 }, queryNorm: attention + norms + "q",
      keyNorm: attention + norms + "k", projection: attention + projection,
      first: "\(path)\(kind)_mlp.net.0.proj", second: "\(path)\(kind)_mlp.net.2")
  }
}
