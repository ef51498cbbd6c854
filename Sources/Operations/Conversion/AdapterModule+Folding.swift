import Adapters
import Checkpoints
import LinearAlgebra
import Safetensors
import Tensors

extension AdapterModule {
  /// Whether its scale can be multiplied into factors.
  var takesScale: Bool {
    !algorithm.boundsChange && algorithm.scaleCarriers(of: shapes) != nil
  }

  /// The same change without alpha, its scale multiplied into factors in f32; the module itself where
  /// alpha is no scale, or no factor can take it.
  /// - Parameters:
  ///   - storage: of the factors that take the scale; nil for the format that they have.
  ///   - losses: what rounding to it costs is added.
  func foldingScale(
    in storage: DType? = nil, losses: inout ConversionLosses
  ) -> AdapterModule {
    guard takesScale, let carriers = algorithm.scaleCarriers(of: shapes) else { return self }
    let total = totalScale
    var views = views
    views[fixedScaleSuffix.name] = nil
    views[scalarSuffix.name] = nil
    for suffix in carriers where total != 1 {
      guard let view = views[suffix] else { continue }
      views[suffix] = TensorView(
        view.name,
        EncodedTensor(view.tensor() * total, as: storage ?? view.dtype, losses: &losses),
        from: view.file)
    }
    return AdapterModule(
      name: name, algorithm: algorithm, views: views, alpha: nil,
      keepsInputsFirst: keepsInputsFirst,
      file: file)
  }
}
