package import Tensors

/// The number format of a checkpoint that is written.
package enum CheckpointStorage: Equatable, Sendable {
  /// One format, where it suits: see `ConversionFormats`.
  case plain(DType)
  /// 8-bit weights with a scale each, as ComfyUI reads them: `<layer>.scale_weight`.
  case scaledFloat8

  /// The format of what is not left in a wider one.
  package var dtype: DType {
    switch self {
    case .plain(let dtype): dtype
    case .scaledFloat8: .f8e4m3
    }
  }
}
