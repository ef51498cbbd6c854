import Adapters
import Checkpoints
import LinearAlgebra
import Safetensors
import Tensors

extension AdapterModule {
  /// The format of the factors, of the widest where they differ; F32 for F64.
  var factorFormat: DType {
    let formats = views.filter { !biasSuffixes.contains($0.key) }.values.map(\.dtype)
      .filter(\.isFloatingPoint)
    return .joining(formats)
  }

  /// The module with factors found anew; the change of the bias stays.
  /// - Parameters:
  ///   - alpha: in place of the one among the factors; nil for none where that is 1 for every rank.
  ///   - suffixes: of tensors that stay beside the factors.
  func replacingFactors(
    with found: Factorization, alpha: Float?, keeping suffixes: [String]
  ) -> AdapterModule {
    var kept = views.filter { biasSuffixes.contains($0.key) || suffixes.contains($0.key) }
    var stored: Float?
    for factor in found.factors {
      if factor.suffix == alphaSuffix.name {
        stored = factor.tensor.decoded().elements.first
      } else {
        kept[factor.suffix] = TensorView("\(name).\(factor.suffix)", factor.tensor, from: file)
      }
    }
    let algorithm = Adapters.algorithm(named: found.algorithm) ?? self.algorithm
    let isKept = algorithm == LoRA.self && self.algorithm == LoRA.self
    // Without an alpha the scale is 1, as it is with one of the rank.
    let final = alpha ?? (isKept && self.alpha == nil ? nil : stored)
    return AdapterModule(
      name: name, algorithm: algorithm, views: kept, alpha: final,
      alphaView: final.map { alphaTensor($0) }, keepsInputsFirst: keepsInputsFirst, file: file)
  }
}

extension DType {
  /// A format that holds the numbers of all: their own where they agree, else F32.
  static func joining(_ formats: some Sequence<DType>) -> DType {
    let distinct = Set(formats.map { $0 == .f64 ? .f32 : $0 })
    return distinct.count == 1 ? distinct.first ?? .f32 : .f32
  }
}
