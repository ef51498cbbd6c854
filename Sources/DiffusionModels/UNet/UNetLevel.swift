import Autograd
import Tensors

/// What the blocks of a UNet are given besides the image.
struct UNetConditions {
  /// SiLU of the timestep's vector, `[batch, embedding]`.
  let time: Variable
  /// The text's tokens, `[batch, n, width]`.
  let context: Variable
  let checkpointing: Bool
}

/// A residual block and the transformer behind it, where the level has one.
struct UNetStage {
  private let residual: ResidualBlock
  private let transformer: SpatialTransformer?

  /// - Parameters:
  ///   - path: of the level; `number` counts within it.
  ///   - inputs: channels that come in.
  init(
    _ builder: inout LayerBuilder, _ path: String, _ number: Int, from inputs: Int,
    widths: UNetWidths, level: Int, _ configuration: UNetConfiguration
  ) throws {
    residual = try ResidualBlock(
      &builder, "\(path).resnets.\(number)", from: inputs, embedding: widths.embedding,
      groups: configuration.groups, epsilon: configuration.epsilon)
    let attention = "\(path).attentions.\(number)"
    transformer =
      builder.has(attention + ".proj_in")
      ? try SpatialTransformer(
        &builder, attention, width: residual.outputs, context: widths.context, level: level,
        configuration) : nil
  }

  /// Channels that go out.
  var outputs: Int { residual.outputs }

  func callAsFunction(_ x: Variable, _ conditions: UNetConditions) -> Variable {
    let residual = residual
    let hidden = BlockCheckpoint(isActive: conditions.checkpointing, residual.layers).run(
      [x, conditions.time]
    ) { residual($0[0], time: $0[1]) }
    return transformer?(
      hidden, context: conditions.context, checkpointing: conditions.checkpointing) ?? hidden
  }
}

/// Widths of what comes into every block.
struct UNetWidths {
  /// Of the timestep's vector.
  let embedding: Int
  /// Of the text's tokens.
  let context: Int
}

/// One level on the way down: stages, and a convolution that halves the image, but on the last.
struct UNetDownLevel {
  let stages: [UNetStage]
  let downsampler: Layer?

  init(
    _ builder: inout LayerBuilder, level: Int, from inputs: Int, widths: UNetWidths,
    _ configuration: UNetConfiguration
  ) throws {
    let path = "down_blocks.\(level)"
    var width = inputs
    stages = try (0..<builder.count(path + ".resnets", having: "conv1", "norm1", "conv2")).map {
      let stage = try UNetStage(
        &builder, path, $0, from: width, widths: widths, level: level, configuration)
      width = stage.outputs
      return stage
    }
    let convolution = path + ".downsamplers.0.conv"
    downsampler =
      builder.has(convolution)
      ? try builder.convolution(
        convolution, from: width, to: width, ConvolutionGeometry(stride: 2, padding: 1)) : nil
  }
}

/// One level on the way up: stages, each of which is also given what the way down left at its place,
/// and a convolution of the doubled image, but on the last.
struct UNetUpLevel {
  let stages: [UNetStage]
  let upsampler: Layer?
  /// Channels that go out.
  let outputs: Int

  /// - Parameters:
  ///   - number: counts from the narrowest image; `level` from the widest.
  ///   - skips: channels that the way down left, the last first to be taken.
  init(
    _ builder: inout LayerBuilder, _ number: Int, level: Int, from inputs: Int, skips: inout [Int],
    widths: UNetWidths, _ configuration: UNetConfiguration
  ) throws {
    let path = "up_blocks.\(number)"
    var width = inputs
    var stages: [UNetStage] = []
    for stage in 0..<builder.count(path + ".resnets", having: "conv1", "norm1", "conv2") {
      stages.append(
        try UNetStage(
          &builder, path, stage, from: width + (skips.popLast() ?? 0), widths: widths, level: level,
          configuration))
      width = stages[stage].outputs
    }
    self.stages = stages
    outputs = width
    let convolution = path + ".upsamplers.0.conv"
    upsampler =
      builder.has(convolution) ? try builder.convolution(convolution, from: width, to: width) : nil
  }
}
