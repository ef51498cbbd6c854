import Adapters
import LinearAlgebra
import Safetensors
import Tensors

extension AdapterModule {
  /// What multiplies the change: alpha / rank, or a number that takes its place, and trained scalars.
  package var totalScale: Float {
    var total = scale ?? adapterScale(alpha: alpha, rank: rank)
    if let fixed = views[fixedScaleSuffix.name] { total = fixed.tensor().elements[0] }
    if let scalar = views[scalarSuffix.name] { total *= scalar.tensor().elements[0] }
    return total
  }

  /// With the bias of the second product (`lora_B.bias`), which PEFT scales as it scales the product, as the
  /// change of the layer's bias, `diff_b`, which no program scales.
  /// - Throws: `CheckpointError.duplicateFactor` if there are both
  func settingBias() throws(CheckpointError) -> AdapterModule {
    guard let bias = views[LoRA.bias] else { return self }
    if let other = views[Full.biasDifference] {
      throw .duplicateFactor(
        file, module: name, suffix: Full.biasDifference, keys: [other.name, bias.name])
    }
    guard bias.dtype.isConvertible else {
      throw .notConvertible(file, tensor: bias.name, bias.dtype)
    }
    var views = views
    views[LoRA.bias] = nil
    views[Full.biasDifference] =
      bias.hasData ? bias.multiplied(by: totalScale, as: views[LoRA.up]?.dtype) : bias
    return replacing(views)
  }

  /// With the change of the bias as the bias of the second product, as PEFT and diffusers have it.
  /// - Precondition: a scale other than zero.
  package func dividingBias() -> AdapterModule {
    guard let bias = views[Full.biasDifference], totalScale != 1 else { return self }
    precondition(totalScale != 0, "'\(name)': a bias beside a product of scale 0")
    var views = views
    views[Full.biasDifference] = bias.divided(by: totalScale, as: self.views[LoRA.up]?.dtype)
    return replacing(views)
  }
}

extension TensorView {
  /// In the format of the factors where the numbers of it are those that were divided.
  fileprivate func multiplied(by factor: Float, as format: DType?) -> TensorView {
    guard factor != 1 else { return self }
    let (quotient, product) = (tensor(), tensor() * factor)
    if let format, format.isNarrow {
      let narrow = EncodedTensor(product, as: format)
      if narrow.decoded().elements.elementsEqual(quotient.elements, by: { $0 / factor == $1 }) {
        return TensorView(name, narrow, from: file)
      }
    }
    return TensorView(name, EncodedTensor(exactly: product, preferring: dtype), from: file)
  }

  fileprivate func divided(by factor: Float, as format: DType?) -> TensorView {
    // Not by the reciprocal: the division takes back what the product did.
    let quotient = Tensor(shape, tensor().elements.map { $0 / factor })
    return TensorView(
      name, EncodedTensor(exactly: quotient, preferring: format ?? dtype), from: file)
  }
}

extension EncodedTensor {
  /// In a format of fewer bits where that holds every number, in F32 otherwise.
  fileprivate init(exactly tensor: Tensor, preferring format: DType) {
    if format.isNarrow {
      let narrow = EncodedTensor(tensor, as: format)
      if narrow.decoded() == tensor {
        self = narrow
        return
      }
    }
    self.init(tensor, as: .f32)
  }
}

extension DType {
  /// Whether it is a format of 16 bits.
  fileprivate var isNarrow: Bool { isFloatingPoint && bitsPerElement == 16 }
}
