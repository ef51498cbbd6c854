import Autograd
import Tensors

/// Two layers with SiLU between them, over a vector of every sample.
struct VectorEmbedding {
  private let first, second: Layer

  /// - Parameters:
  ///   - inputs: width of the vector; nil for any.
  ///   - outputs: nil for any.
  init(
    _ builder: inout LayerBuilder, _ path: String, from inputs: Int? = nil, to outputs: Int? = nil
  ) throws {
    first = try builder.linear(path + ".linear_1", from: inputs)
    let width = first.weightShape.rows
    second = try builder.linear(path + ".linear_2", from: width, to: outputs ?? width)
  }

  var inputs: Int { first.weightShape.columns }
  var outputs: Int { second.weightShape.rows }

  /// `[batch, inputs]` to `[batch, outputs]`.
  func callAsFunction(_ vector: Variable) -> Variable { second(first(vector).activated(.silu)) }
}
