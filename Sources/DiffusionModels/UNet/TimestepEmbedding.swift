import Autograd
import Tensors

/// What the UNet knows of the timestep: a vector for every sample.
struct TimestepEmbedding {
  private let layers: VectorEmbedding

  /// - Parameter inputs: width of the first level, as many waves and phases.
  init(_ builder: inout LayerBuilder, width inputs: Int) throws {
    layers = try VectorEmbedding(&builder, "time_embedding", from: inputs)
  }

  /// Of the vector.
  var width: Int { layers.outputs }

  /// `[batch, width]`
  func callAsFunction(_ timesteps: [Float]) -> Variable {
    layers(Variable(Tensor.waves(of: timesteps, width: layers.inputs)))
  }
}
