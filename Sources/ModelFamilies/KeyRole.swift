/// What a checkpoint's key is to the module it belongs to.
enum KeyRole: Sendable {
  case weight, bias
  /// Scale of a quantized weight or of its input.
  case scale
  /// A parameter or buffer of its own that no adapter names.
  case parameter

  /// The role of `<module>.<suffix>` by the bytes of the suffix.
  init?(suffix: some Collection<UInt8>) {
    switch String(decoding: suffix, as: UTF8.self) {
    case "weight": self = .weight
    case "bias": self = .bias
    case "scale_weight", "scale_input", "weight_scale", "input_scale", "comfy_quant": self = .scale
    default: return nil
    }
  }
}
