package import Autograd
package import Tensors

/// The decoder of an image autoencoder: latents to pictures eight times as wide, or as its levels have it.
package final class VAEDecoder {
  /// Every layer with weights, by the paths of diffusers.
  package let layers: [Layer]
  package let configuration: VAEConfiguration
  /// Channels of the latents.
  package let channels: Int

  /// How much is in memory at a time.
  package var plan = BandPlan()

  /// nil in Stable Diffusion 3 and Flux.
  private let unquantize: Layer?
  private let convIn, normOut, convOut: Layer
  private let middle: VAEMiddle
  private let levels: [VAEUpLevel]

  /// - Parameter channels: of the latents that it is given.
  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: some ParameterSource, configuration: VAEConfiguration, channels: Int,
    compute: ComputeType
  ) throws {
    var builder = LayerBuilder(source, component: "vae", compute: compute)
    let groups = configuration.groups
    self.configuration = configuration
    self.channels = channels
    unquantize =
      builder.has("post_quant_conv")
      ? try builder.pointwise("post_quant_conv", from: channels, to: channels) : nil
    convIn = try builder.convolution("decoder.conv_in", from: channels)
    middle = try VAEMiddle(
      &builder, "decoder.mid_block", width: convIn.weightShape.rows, groups: groups)
    var width = middle.outputs
    let count = builder.count("decoder.up_blocks", having: "resnets.0.conv1", "resnets.0.norm1")
    levels = try (0..<count).map {
      let level = try VAEUpLevel(
        &builder, "decoder.up_blocks.\($0)", from: width, groups: groups)
      width = level.outputs
      return level
    }
    normOut = try builder.groupNorm(
      "decoder.conv_norm_out", width, groups: groups, epsilon: 1e-6, silu: true)
    convOut = try builder.convolution("decoder.conv_out", from: width, to: 3)
    layers = builder.layers
  }

  /// Pixels of a picture for each place of the latents, along each side.
  package var stride: Int { 1 << levels.count { $0.upsampler != nil } }

  /// Pictures `[batch, height · stride, width · stride, 3]`, about from -1 to 1. Nothing is recorded.
  ///
  /// One after the other, in bands of rows: as if whole, but for the rounding of sums.
  /// - Parameter latents: `[batch, height, width, channels]`, without the scale.
  /// - Throws: `CancellationError`: large pictures take minutes.
  package func decode(_ latents: Tensor) throws -> Tensor {
    let d = latents.shape.dimensions
    precondition(
      d.count == 4 && d[3] == channels, "latents \(latents.shape) of \(channels) channels")
    let (height, width) = (d[1] * stride, d[2] * stride)
    var pixels: [Float] = []
    pixels.reserveCapacity(d[0] * height * width * 3)
    try Recording.pause {
      for sample in 0..<d[0] {
        let sample = latents.rows(sample..<sample + 1)
        let last = try lastLayer(
          of: middle(convIn(unquantize?(Variable(sample)) ?? Variable(sample))))
        for band in plan.bands(of: last) {
          try Task.checkCancellation()
          pixels += last.rows(band).elements
          last.release(before: band.upperBound)
        }
      }
    }
    return Tensor([d[0], height, width, 3], pixels)
  }

  /// All that follows upon the middle, of one sample.
  private func lastLayer(of hidden: Variable) throws -> ConvolvedImage {
    var image: any BandedImage = HeldImage(hidden.value)
    for level in levels {
      for block in level.blocks {
        try Task.checkCancellation()
        image = plan.applying(block, to: image)
      }
      if let upsampler = level.upsampler {
        image = plan.heldIfItFits(
          ConvolvedImage(image, upsampler, .doubling), releases: true)
      }
    }
    return ConvolvedImage(image, convOut, .norm(normOut, plan.moments(of: image, for: normOut)))
  }
}

/// One level of a decoder: residual blocks, and a convolution of the doubled picture, but on the last.
struct VAEUpLevel {
  let blocks: [ResidualBlock]
  let upsampler: Layer?
  /// Channels that go out.
  let outputs: Int

  init(_ builder: inout LayerBuilder, _ path: String, from inputs: Int, groups: Int) throws {
    var width = inputs
    blocks = try (0..<builder.count(path + ".resnets", having: "conv1", "norm1", "conv2")).map {
      let block = try ResidualBlock(
        vae: &builder, "\(path).resnets.\($0)", from: width, groups: groups)
      width = block.outputs
      return block
    }
    outputs = width
    let convolution = path + ".upsamplers.0.conv"
    upsampler =
      builder.has(convolution) ? try builder.convolution(convolution, from: width, to: width) : nil
  }
}
