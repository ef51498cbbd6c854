import Adapters
import Checkpoints
import LinearAlgebra
import Safetensors
import Tensors

extension AdapterModule {
  /// Whether DoRA wraps the module.
  var isDecomposed: Bool {
    WeightDecomposition<Tensor>.suffixes.contains { views[$0.name] != nil }
  }

  /// The format of the factors, of the widest where they differ; F32 for F64.
  var factorFormat: DType {
    let formats = views.filter { !biasSuffixes.contains($0.key) }.values.map(\.dtype)
      .filter(\.isFloatingPoint)
    return .joining(formats)
  }

  /// The same module with other tensors.
  func replacing(
    views: [String: TensorView], algorithm: (any AdapterAlgorithm.Type)? = nil
  ) -> AdapterModule {
    AdapterModule(
      name: name, algorithm: algorithm ?? self.algorithm, views: views, alpha: alpha,
      alphaView: alphaView, scale: scale, file: file)
  }

  /// The same module with another alpha, in the format of the present one if that can hold it.
  func replacing(alpha: Float?, views: [String: TensorView]? = nil) -> AdapterModule {
    AdapterModule(
      name: name, algorithm: algorithm, views: views ?? self.views, alpha: alpha,
      alphaView: alpha.map(alphaView(holding:)), scale: scale, file: file)
  }

  private func alphaView(holding alpha: Float) -> TensorView {
    let shape = alphaView?.shape ?? []
    let tensor = Tensor(shape, [alpha])
    var stored = EncodedTensor(tensor, as: .f32)
    if let dtype = alphaView?.dtype, dtype.isFloatingPoint, dtype != .f64 {
      let narrow = EncodedTensor(tensor, as: dtype)
      if narrow.decoded().elements[0] == alpha { stored = narrow }
    }
    return TensorView("\(name).\(alphaSuffix.name)", stored, from: file)
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
      alphaView: final.map(alphaView(holding:)), file: file)
  }
}

extension DType {
  /// A format that holds the numbers of all: their own where they agree, else F32.
  static func joining(_ formats: some Sequence<DType>) -> DType {
    let distinct = Set(formats.map { $0 == .f64 ? .f32 : $0 })
    return distinct.count == 1 ? distinct.first ?? .f32 : .f32
  }
}
