import Autograd
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// What the UNet knows of the timestep: a vector for every sample.
struct TimestepEmbedding {
  private let first, second: Layer
  private let inputs: Int
  /// Of the vector.
  let width: Int

  /// - Parameter width: of the first level, as many waves and phases.
  init(_ builder: inout LayerBuilder, width inputs: Int) throws {
    self.inputs = inputs
    first = try builder.linear("time_embedding.linear_1", from: inputs)
    width = first.weightShape.rows
    second = try builder.linear("time_embedding.linear_2", from: width, to: width)
  }

  /// `[batch, width]`
  func callAsFunction(_ timesteps: [Float]) -> Variable {
    second(first(Variable(Self.waves(timesteps, width: inputs))).activated(.silu))
  }

  /// `[batch, width]`: cosines, then sines, of every timestep times frequencies from 1 down to 1/10000.
  ///
  /// Frequencies and phases are rounded to f32 where PyTorch rounds them: at timestep 1000 the last bit
  /// of a frequency moves a phase by 6e-5.
  static func waves(_ timesteps: [Float], width: Int) -> Tensor {
    let half = width / 2
    let frequencies = (0..<half).map { i in
      Float(exp(Double(-Float(log(10000.0)) * Float(i) / Float(half))))
    }
    var elements: [Float] = []
    elements.reserveCapacity(timesteps.count * width)
    for timestep in timesteps {
      let phases = frequencies.map { Double(timestep * $0) }
      elements += phases.map { Float(cos($0)) }
      elements += phases.map { Float(sin($0)) }
    }
    return Tensor([timesteps.count, 2 * half], elements)
  }
}
