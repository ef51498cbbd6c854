import Autograd
import Tensors

/// Two convolutions, each behind a group norm and SiLU, added to their input; a timestep's vector comes
/// in between them.
struct ResidualBlock {
  let norm1, conv1, norm2, conv2: Layer
  /// nil in a VAE.
  private let timeProjection: Layer?
  /// Where the widths differ.
  let shortcut: Layer?

  /// - Parameters:
  ///   - inputs: channels that come in.
  ///   - embedding: width of the timestep's vector; nil for a block without.
  init(
    _ builder: inout LayerBuilder, _ path: String, from inputs: Int, embedding: Int?, groups: Int,
    epsilon: Float
  ) throws {
    norm1 = try builder.groupNorm(
      path + ".norm1", inputs, groups: groups, epsilon: epsilon, silu: true)
    conv1 = try builder.convolution(path + ".conv1", from: inputs)
    let outputs = conv1.weightShape.rows
    timeProjection = try embedding.map {
      try builder.linear(path + ".time_emb_proj", from: $0, to: outputs)
    }
    norm2 = try builder.groupNorm(
      path + ".norm2", outputs, groups: groups, epsilon: epsilon, silu: true)
    conv2 = try builder.convolution(path + ".conv2", from: outputs, to: outputs)
    shortcut =
      inputs != outputs || builder.has(path + ".conv_shortcut")
      ? try builder.pointwise(path + ".conv_shortcut", from: inputs, to: outputs) : nil
  }

  /// Channels that go out.
  var outputs: Int { conv1.weightShape.rows }

  var layers: [Layer] { [norm1, conv1, timeProjection, norm2, conv2, shortcut].compactMap(\.self) }

  /// `[batch, height, width, inputs]` to `[batch, height, width, outputs]`.
  /// - Parameter time: SiLU of the timestep's vector, `[batch, embedding]`.
  func callAsFunction(_ x: Variable, time: Variable? = nil) -> Variable {
    var hidden = conv1(norm1(x))
    if let timeProjection, let time { hidden = hidden.addingToChannels(timeProjection(time)) }
    return (shortcut?(x) ?? x) + conv2(norm2(hidden))
  }
}
