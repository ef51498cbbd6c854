package import Autograd
import Tensors

/// The graph of Pebble, the made-up family of CONTRIBUTING.md: every place of the latents is a token, and sees the
/// others, the time and the letters of the caption.
package struct PebbleModel {
  /// Bytes of a caption that count; shorter ones end in zeros.
  package static let captionLength = 16

  package let layers: [Layer]
  private let letters: Tensor
  private let proj, xIn, tIn, xOut: Layer
  private let stones: [TransformerBlock]

  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: any ParameterSource, compute: ComputeType = .f32,
    storage: FrozenStorage = .compute
  ) throws {
    var text = LayerBuilder(source, component: "te1", compute: compute, storage: storage)
    letters = try text.table("letters")
    proj = try text.linear("proj", from: letters.shape.columns)
    var builder = LayerBuilder(source, component: "unet", compute: compute, storage: storage)
    xIn = try builder.linear("x_in", from: nil)
    let (width, context) = (xIn.weightShape.rows, proj.weightShape.rows)
    let heads = try builder.heads(.width(16), of: width, at: "x_in")
    tIn = try builder.linear("t_in", from: width, to: width)
    stones = try (0..<builder.count("stones", having: "norm1")).map {
      try TransformerBlock(
        &builder, "stones.\($0)", width: width, context: context, heads: heads)
    }
    xOut = try builder.linear("x_out", from: width, to: xIn.weightShape.columns)
    layers = text.layers + builder.layers
  }

  /// `[batch, captionLength, context]`
  package func context(of captions: [String]) -> Variable {
    let bytes = captions.flatMap { caption in
      let bytes = caption.utf8.prefix(Self.captionLength).map { Int($0) }
      return bytes + Array(repeating: 0, count: Self.captionLength - bytes.count)
    }
    return proj(
      Variable.rows(bytes, of: letters)
        .reshaped([captions.count, Self.captionLength, letters.shape.columns]))
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
