import Adapters
import Autograd
import LinearAlgebra
package import Tensors

extension AdapterNetwork {
  /// The tensors of an adapter file, under kohya's names: what a reader multiplies by alpha / rank gives
  /// what was trained.
  /// - Parameter dtype: of all but the side of (IA)³, which is an integer, and an alpha that the format does
  ///   not hold exactly: it stays in f32.
  package func tensors(as dtype: DType) -> [(name: String, tensor: EncodedTensor)] {
    zip(modules, layers).flatMap { module, layer in
      module.factors.stored(for: layer).map { suffix, tensor in
        ("\(module.plan.name).\(suffix)", EncodedTensor(tensor, of: suffix, as: dtype))
      }
    }
  }
}

extension TrainedFactors {
  /// The tensors of the module as LyCORIS stores them: the scalar multiplied in, a weight that was trained
  /// itself as its difference, alpha as a number of its own.
  func stored(for layer: Layer) -> [(suffix: String, tensor: Tensor)] {
    var tensors: [(suffix: String, tensor: Tensor)] = []
    if let alpha { tensors.append((alphaSuffix.name, Tensor(scalar: alpha))) }
    if let magnitude {
      tensors.append((WeightDecomposition<Tensor>.suffix.name, magnitude.value))
    }
    if algorithm == .full {
      tensors.append(
        (
          Full.difference,
          self[parameterOfWeight: ()].value.adding(layer.weightValue, times: -1)
        ))
      if let bias, let base = layer.bias {
        tensors.append((Full.biasDifference, bias.value.adding(base, times: -1)))
      }
      return tensors
    }
    var factors = values.values
    for suffix in constants.keys { factors[suffix] = nil }
    if algorithm == .dylora { factors = factors.shapedAsLoRA(for: layer.weightShape) }
    tensors +=
      algorithm.formula.stored(factors, for: layer.weightShape).sorted { $0.key < $1.key }
      .map { ($0.key, $0.value) }
    if let bias { tensors.append((Norm.biasDifference, bias.value)) }
    return tensors
  }
}

extension [String: Tensor] {
  /// Matrices of LoRA as the kernels that they are for a convolution.
  fileprivate func shapedAsLoRA(for weight: Shape) -> Self {
    var factors = self
    let ones = weight.kernel.map { _ in 1 }
    if let up = factors[LoRA.up] {
      factors[LoRA.up] = up.reshaped(Shape([up.shape.rows, up.shape.columns] + ones))
    }
    if let down = factors[LoRA.down] {
      factors[LoRA.down] = down.reshaped(Shape([down.shape.rows] + weight.dimensions.dropFirst()))
    }
    return factors
  }
}

extension EncodedTensor {
  fileprivate init(_ tensor: Tensor, of suffix: String, as dtype: DType) {
    if suffix == IA3.side {
      let value = Int64(tensor.elements[0])
      self.init(.i64, [], (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
      return
    }
    self.init(tensor, as: dtype)
    if suffix == alphaSuffix.name, decoded() != tensor { self.init(tensor, as: .f32) }
  }
}
