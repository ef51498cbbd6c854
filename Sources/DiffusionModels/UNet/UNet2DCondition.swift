package import Autograd
import Tensors

/// The denoiser of Stable Diffusion 1, 2 and XL: what noise, or velocity, is in noisy latents.
///
/// Levels, blocks and widths are those that the weights have; so is whether a vector is added to that of the timestep.
package final class UNet2DCondition {
  /// Every layer with weights, by the paths of diffusers.
  package let layers: [Layer]
  /// Whether blocks keep only their inputs for the backward pass, and compute the rest again.
  package var checkpointsBlocks = false
  /// Of the text's tokens.
  package let contextWidth: Int

  /// Of the vector that the timestep's is added to: what is known of a whole picture; nil for a model without.
  package let vectorWidth: Int?

  private let embedding: TimestepEmbedding
  private let vectorEmbedding: VectorEmbedding?
  private let convIn, normOut, convOut: Layer
  private let down: [UNetDownLevel]
  private let middle: [UNetStage]
  private let up: [UNetUpLevel]

  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: some ParameterSource, configuration: UNetConfiguration, compute: ComputeType,
    storage: FrozenStorage = .compute
  ) throws {
    var builder = LayerBuilder(source, component: "unet", compute: compute, storage: storage)
    let channels = try builder.shape(of: "conv_in").dimensions.dropFirst().first ?? 0
    convIn = try builder.convolution("conv_in", from: channels)
    let first = convIn.weightShape.rows
    embedding = try TimestepEmbedding(&builder, width: first)
    vectorEmbedding =
      builder.has("add_embedding.linear_1")
      ? try VectorEmbedding(&builder, "add_embedding", to: embedding.width) : nil
    vectorWidth = vectorEmbedding?.inputs
    // Not every level has attention.
    let count = builder.count("down_blocks", having: "resnets.0.conv1", "resnets.0.norm1")
    let queries = (0..<max(count, 1)).map {
      "down_blocks.\($0).attentions.0.transformer_blocks.0.attn2.to_k"
    }
    contextWidth = try builder.shape(of: queries.first { builder.has($0) } ?? queries[0]).columns
    let widths = UNetWidths(embedding: embedding.width, context: contextWidth)

    var width = first
    var skips = [width]
    guard count > 0 else {
      throw ModelError.missingParameter(
        component: "unet", name: "down_blocks.0.resnets.0.conv1.weight")
    }
    down = try (0..<count).map {
      let level = try UNetDownLevel(
        &builder, level: $0, from: width, widths: widths, configuration)
      skips += level.stages.map(\.outputs)
      width = level.stages.last?.outputs ?? width
      if level.downsampler != nil { skips.append(width) }
      return level
    }
    let last = count - 1
    // Some distilled models have none.
    middle = try (0..<builder.count("mid_block.resnets", having: "conv1", "norm1", "conv2")).map {
      let stage = try UNetStage(
        &builder, "mid_block", $0, from: width, widths: widths, level: last, configuration)
      width = stage.outputs
      return stage
    }
    up = try (0..<count).map {
      let level = try UNetUpLevel(
        &builder, $0, level: last - $0, from: width, skips: &skips, widths: widths, configuration)
      width = level.outputs
      return level
    }
    normOut = try builder.groupNorm(
      "conv_norm_out", width, groups: configuration.groups, epsilon: configuration.epsilon,
      silu: true)
    convOut = try builder.convolution("conv_out", from: width)
    layers = builder.layers
  }

  /// - Parameters:
  ///   - latents: `[batch, height, width, channels]`
  ///   - timesteps: one for every sample.
  ///   - context: the text's tokens, `[batch, n, contextWidth]`.
  ///   - vector: `[batch, vectorWidth]`, for a model that has one.
  /// - Returns: of the shape of the latents.
  package func callAsFunction(
    _ latents: Variable, timesteps: [Float], context: Variable, vector: Variable? = nil
  ) -> Variable {
    var time = embedding(timesteps)
    if let vectorEmbedding {
      guard let vector else { preconditionFailure("a vector for a UNet that reads one") }
      time = time + vectorEmbedding(vector)
    }
    let conditions = UNetConditions(
      time: time.activated(.silu), context: context, checkpointing: checkpointsBlocks)
    var hidden = convIn(latents)
    var skips = [hidden]
    for level in down {
      for stage in level.stages {
        hidden = stage(hidden, conditions)
        skips.append(hidden)
      }
      if let downsampler = level.downsampler {
        hidden = downsampler(hidden)
        skips.append(hidden)
      }
    }
    for stage in middle { hidden = stage(hidden, conditions) }
    for level in up {
      for stage in level.stages {
        hidden = stage(hidden.appendingChannels(skips.removeLast()), conditions)
      }
      if let upsampler = level.upsampler, let next = skips.last?.shape.dimensions {
        // An odd extent was rounded up on the way down.
        hidden = upsampler(hidden.upsampled().cropped(height: next[1], width: next[2]))
      }
    }
    return convOut(normOut(hidden))
  }
}
