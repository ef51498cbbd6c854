import Adapters
import Checkpoints
import Safetensors
import Tensors

extension AdapterModule {
  /// The module with its floating-point tensors in another format.
  ///
  /// Magnitudes and gains (`dora_scale`, `rescale`, `scalar`) lose too much in fewer than 32 bit, and
  /// take no room; 8 bit suit factors alone, not norms and biases, which get BF16. The alpha keeps its
  /// format.
  /// - Parameter losses: what this costs the numbers is added.
  func converted(to storage: DType, losses: inout ConversionLosses) -> AdapterModule {
    var converted = views
    for (suffix, view) in views where view.dtype.isFloatingPoint {
      let format = Self.format(of: view, suffix: suffix, storage)
      guard format != view.dtype else { continue }
      converted[suffix] = TensorView(
        view.name,
        EncodedTensor(
          converting: view.bytes, from: view.dtype, view.shape, to: format, losses: &losses),
        from: view.file)
    }
    return replacing(converted)
  }

  private static let wideSuffixes: Set<String> = [
    WeightDecomposition<Tensor>.suffix.name, WeightDecomposition<Tensor>.outputSuffix.name,
    scalarSuffix.name, "rescale",
  ]

  private static func format(of view: TensorView, suffix: String, _ storage: DType) -> DType {
    guard storage.bitsPerElement < 32 else { return storage }
    if wideSuffixes.contains(suffix) { return view.dtype == .f64 ? .f32 : view.dtype }
    guard storage.isFloat8, view.shape.dimensions.count < 2 else { return storage }
    return view.dtype.bitsPerElement > 16 ? .bf16 : view.dtype
  }
}
