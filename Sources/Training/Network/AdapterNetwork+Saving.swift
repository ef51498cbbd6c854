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
    if algorithm.trainsWeight {
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
    tensors +=
      algorithm.stored(factors, for: layer.weightShape).sorted { $0.key < $1.key }
      .map { ($0.key, $0.value) }
    if let bias, let suffix = algorithm.trainedBias { tensors.append((suffix, bias.value)) }
    return tensors
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
