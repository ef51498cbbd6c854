package import Tensors

/// A layer of a model with its frozen weights, in which an adapter may take part.
package final class Layer {
  /// What a layer does with its weight.
  package enum Operation: Sendable {
    /// `[…, in]` to `[…, out]`
    case linear
    /// `[batch, height, width, in]` to `[batch, height', width', out]`
    case convolution(ConvolutionGeometry)
    /// `[batch, …, channels]`, with SiLU behind it if so.
    case groupNorm(groups: Int, epsilon: Float, silu: Bool)
    /// `[…, width]`
    case layerNorm(epsilon: Float)
    /// `[…, n · width]`, every run of the weight's width by itself; there is no bias.
    case rmsNorm(epsilon: Float)
  }

  private enum Weight {
    case matrix(FrozenMatrix)
    case streamed(StreamedMatrix)
    case kernel(FrozenKernel)
    case vector(Tensor)
  }

  /// The part of the model it belongs to: `unet`, `te1`, `vae`.
  package let component: String
  /// Dotted name within the component, as presets and adapters see it.
  package let path: String
  package let operation: Operation
  /// `[out, in]`, `[out, in, height, width]` or `[width]`, as the checkpoint has it.
  package let weightShape: Shape
  package let compute: ComputeType
  package let bias: Tensor?
  private let weight: Weight

  /// What is trained in this layer; nil for none.
  package var adaptation: (any LayerAdaptation)?

  /// - Parameters:
  ///   - weight: a 1×1 kernel may stand for a matrix, and a matrix for a 1×1 kernel.
  ///   - storage: of the weight of a linear layer.
  package init(
    component: String, path: String, _ operation: Operation, weight: Tensor, bias: Tensor?,
    storage: FrozenStorage = .compute, compute: ComputeType
  ) {
    self.component = component
    self.path = path
    self.operation = operation
    self.bias = bias
    self.compute = compute
    weightShape = weight.shape
    switch operation {
    case .linear:
      self.weight = .matrix(FrozenMatrix(weight, storage: storage, compute: compute))
    case .convolution: self.weight = .kernel(FrozenKernel(weight, compute: compute))
    case .groupNorm, .layerNorm, .rmsNorm: self.weight = .vector(weight)
    }
  }

  /// A linear layer whose weight is not kept.
  /// - Parameter shape: of the weight, as the checkpoint has it.
  package init(
    component: String, path: String, shape: Shape, streaming weight: StreamedMatrix, bias: Tensor?,
    compute: ComputeType
  ) {
    self.component = component
    self.path = path
    operation = .linear
    weightShape = shape
    self.bias = bias
    self.compute = compute
    self.weight = .streamed(weight)
  }

  /// A layer of another model with the same frozen weights, which are in memory once, and an adaptation of its own.
  package init(sharing other: Layer) {
    (component, path) = (other.component, other.path)
    (operation, weightShape) = (other.operation, other.weightShape)
    (compute, bias, weight) = (other.compute, other.bias, other.weight)
  }

  package func callAsFunction(_ x: Variable) -> Variable {
    let y = adaptation?.output(of: self, for: x) ?? frozen(x)
    LayerTrace.current?.check(y.value, of: self)
    return y
  }

  /// Without the adapter.
  package func frozen(_ x: Variable) -> Variable {
    switch (operation, weight) {
    case (.linear, .matrix(let matrix)): x.linear(matrix, bias: bias)
    case (.linear, .streamed(let matrix)): x.linear(matrix, bias: bias)
    case (.convolution(let geometry), .kernel(let kernel)):
      x.convolved(kernel, bias: bias, geometry)
    case (.groupNorm, .vector(let vector)), (.layerNorm, .vector(let vector)),
      (.rmsNorm, .vector(let vector)):
      applying(weight: Variable(vector), bias: bias.map { Variable($0) }, to: x)
    default: preconditionFailure("a layer's weight suits its operation")
    }
  }

  /// With another weight and bias in place of its own.
  package func applying(weight: Variable, bias: Variable?, to x: Variable) -> Variable {
    switch operation {
    case .linear:
      return x.linear(weight, bias: bias, compute: compute)
    case .convolution(let geometry):
      return x.convolved(weight, bias: bias, geometry, compute: compute)
    case .groupNorm(let groups, let epsilon, let silu):
      return x.groupNormalized(
        groups: groups, weight: weight, bias: bias ?? Variable(Tensor(zeros: weight.shape)),
        epsilon: epsilon, silu: silu)
    case .layerNorm(let epsilon):
      return x.layerNormalized(
        weight: weight, bias: bias ?? Variable(Tensor(zeros: weight.shape)), epsilon: epsilon)
    case .rmsNorm(let epsilon):
      precondition(bias == nil, "a root mean square norm has no bias, that of \(path) neither")
      return x.rootMeanSquareNormalized(weight: weight, epsilon: epsilon)
    }
  }

  /// The kernel of a convolution.
  var kernel: FrozenKernel? { if case .kernel(let kernel) = weight { kernel } else { nil } }

  /// Bytes of the weight in memory; 0 where it is not kept.
  package var byteCount: Int {
    switch weight {
    case .matrix(let matrix): matrix.byteCount
    case .streamed: 0
    case .kernel(let kernel): kernel.byteCount
    case .vector(let vector): vector.count * MemoryLayout<Float>.stride
    }
  }

  /// The weight in f32, as it takes part in products, of shape `weightShape`.
  package var weightValue: Tensor {
    switch weight {
    case .matrix(let matrix): matrix.value.reshaped(weightShape)
    case .streamed(let streamed): streamed.matrix.value.reshaped(weightShape)
    case .kernel(let kernel): kernel.value
    case .vector(let vector): vector
    }
  }
}

/// What an adapter does in a layer.
package protocol LayerAdaptation: AnyObject {
  /// The output of the adapted layer.
  func output(of layer: Layer, for x: Variable) -> Variable
}

/// Looks at what layers compute, to find the one where numbers stop being numbers.
package final class LayerTrace {
  @TaskLocal private static var local: Unchecked?

  private struct Unchecked: @unchecked Sendable { let trace: LayerTrace }

  /// The first layer whose output was not finite.
  package private(set) var firstNonFinite: Layer?

  package init() {}

  static var current: LayerTrace? { local?.trace }

  package func watch<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Self.$local.withValue(Unchecked(trace: self), operation: body)
  }

  func check(_ output: Tensor, of layer: Layer) {
    guard firstNonFinite == nil, output.elements.contains(where: { !$0.isFinite }) else { return }
    firstNonFinite = layer
  }
}
