package import Autograd
package import Tensors

/// The encoder of an image autoencoder: images to a distribution of latents an eighth as wide.
package final class VAEEncoder {
  /// Every layer with weights, by the paths of diffusers.
  package let layers: [Layer]
  package let configuration: VAEConfiguration
  /// Channels of the latents.
  package let channels: Int

  private let convIn, normOut, convOut: Layer
  /// nil in Stable Diffusion 3 and Flux.
  private let quantize: Layer?
  private let levels: [(blocks: [ResidualBlock], downsampler: Layer?)]
  private let middle: VAEMiddle

  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: some ParameterSource, configuration: VAEConfiguration, compute: ComputeType
  ) throws {
    var builder = LayerBuilder(source, component: "vae", compute: compute)
    let groups = configuration.groups
    self.configuration = configuration
    convIn = try builder.convolution("encoder.conv_in", from: 3)
    var width = convIn.weightShape.rows
    let count = builder.count(
      "encoder.down_blocks", having: "resnets.0.conv1", "resnets.0.norm1")
    levels = try (0..<count).map { level in
      let path = "encoder.down_blocks.\(level)"
      let blocks = try (0..<builder.count(path + ".resnets", having: "conv1", "norm1", "conv2"))
        .map {
          let block = try ResidualBlock(
            vae: &builder, "\(path).resnets.\($0)", from: width, groups: groups)
          width = block.outputs
          return block
        }
      let convolution = path + ".downsamplers.0.conv"
      let downsampler =
        builder.has(convolution)
        ? try builder.convolution(
          convolution, from: width, to: width,
          ConvolutionGeometry(stride: 2, top: 0, left: 0, bottom: 1, right: 1)) : nil
      return (blocks, downsampler)
    }
    middle = try VAEMiddle(&builder, "encoder.mid_block", width: width, groups: groups)
    normOut = try builder.groupNorm(
      "encoder.conv_norm_out", width, groups: groups, epsilon: 1e-6, silu: true)
    convOut = try builder.convolution("encoder.conv_out", from: width)
    let outputs = convOut.weightShape.rows
    quantize =
      builder.has("quant_conv")
      ? try builder.pointwise("quant_conv", from: outputs, to: outputs) : nil
    channels = outputs / 2
    layers = builder.layers
  }

  /// Mean and logarithm of the variance of the latents, `[batch, height / 8, width / 8, channels]`,
  /// before the scale. Nothing is recorded.
  /// - Parameter images: `[batch, height, width, 3]` from -1 to 1.
  package func encode(_ images: Tensor) -> (mean: Tensor, logVariance: Tensor) {
    let moments = Recording.pause {
      var hidden = convIn(Variable(images))
      for level in levels {
        for block in level.blocks { hidden = block(hidden) }
        if let downsampler = level.downsampler { hidden = downsampler(hidden) }
      }
      let moments = convOut(normOut(middle(hidden)))
      return (quantize?(moments) ?? moments).value
    }
    let shape = Shape(moments.shape.dimensions.dropLast() + [channels])
    let (source, width) = (moments.elements, 2 * channels)
    let indices = (0..<shape.count).map { ($0 / channels) * width + $0 % channels }
    let logs = indices.map { source[$0 + channels] }
    return (
      Tensor(shape, indices.map { source[$0] }),
      Tensor(shape, configuration.clampsVariance ? logs.map { min(max($0, -30), 20) } : logs)
    )
  }
}
