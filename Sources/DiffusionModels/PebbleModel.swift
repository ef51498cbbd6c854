package import Autograd
import Tensors

/// The graph of Pebble, the made-up family of CONTRIBUTING.md: every place of the latents is a token, and sees the
/// others, the time and the letters of the caption.
package struct PebbleModel {
  package let layers: [Layer]
  private let xIn, tIn, xOut: Layer
  private let stones: [TransformerBlock]

  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: any ParameterSource, compute: ComputeType = .f32,
    storage: FrozenStorage = .compute
  ) throws {
    var builder = LayerBuilder(source, component: "unet", compute: compute, storage: storage)
    xIn = try builder.linear("x_in", from: nil)
    let width = xIn.weightShape.rows
    let heads = try builder.heads(.width(16), of: width, at: "x_in")
    tIn = try builder.linear("t_in", from: width, to: width)
    let context = try builder.shape(of: "stones.0.attn2.to_k").columns
    stones = try (0..<builder.count("stones", having: "norm1")).map {
      try TransformerBlock(
        &builder, "stones.\($0)", width: width, context: context, heads: heads)
    }
    xOut = try builder.linear("x_out", from: width, to: xIn.weightShape.columns)
    layers = builder.layers
  }

  /// Of the shape of `noisy`, `[batch, height, width, channels]`.
  package func callAsFunction(
    _ noisy: Variable, at times: [Float], context: Variable
  ) -> Variable {
    let (width, channels) = (xIn.weightShape.rows, xIn.weightShape.columns)
    let time = tIn(Variable(Tensor.waves(of: times, width: width)))
    var hidden = xIn(noisy).addingToChannels(time)
      .reshaped([times.count, noisy.shape.count / channels / times.count, width])
    for stone in stones { hidden = stone(hidden, context: context) }
    return xOut(hidden).reshaped(noisy.shape)
  }
}
