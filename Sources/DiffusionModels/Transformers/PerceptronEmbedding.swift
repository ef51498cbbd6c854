import Autograd
import Tensors

/// Two layers with an activation between them: what embeds times, vectors and texts.
struct PerceptronEmbedding {
  private let first, second: Layer
  private let activation: Activation

  /// - Parameters:
  ///   - first, second: paths of the layers.
  ///   - inputs: nil for any.
  ///   - outputs: nil for any.
  init(
    _ builder: inout LayerBuilder, _ first: String, _ second: String,
    _ activation: Activation = .silu, from inputs: Int? = nil, to outputs: Int? = nil
  ) throws {
    self.first = try builder.linear(first, from: inputs)
    let width = self.first.weightShape.rows
    self.second = try builder.linear(second, from: width, to: outputs)
    self.activation = activation
  }

  /// Of cosines and as many sines, see `Tensor.waves`.
  /// - Throws: `ModelError.unevenWidth` where they cannot be as many, and as otherwise.
  init(
    ofWaves builder: inout LayerBuilder, _ first: String, _ second: String, to outputs: Int
  ) throws {
    try self.init(&builder, first, second, to: outputs)
    try builder.require("waves", inputs, multipleOf: 2, at: first)
  }

  var inputs: Int { first.weightShape.columns }
  var outputs: Int { second.weightShape.rows }
  var layers: [Layer] { [first, second] }

  /// `[…, inputs]` to `[…, outputs]`.
  func callAsFunction(_ x: Variable) -> Variable { second(first(x).activated(activation)) }
}
