/// A way of storing weights as codes: how a file shows it, and what the codes mean.
package struct Quantization: Equatable, Sendable {
  /// What has to be known to read the codes.
  package enum Rule: Equatable, Sendable {
    /// code · scale, see `WeightScaling`.
    case scaled
    /// `FourBitCodes`
    case fourBit(FourBitCodes.Kind)
    /// `BlockCodes`
    case blocks(BlockCodes.Kind)
    /// Not read here, and why.
    case refused(String)
  }

  /// As users say it.
  package let name: String
  /// ComfyUI's word for it, in `<layer>.comfy_quant` and `_quantization_metadata`.
  let word: String?
  /// Endings of tensors that show it; each is enough.
  let signs: [String]
  /// Endings of all tensors that belong to one weight beside the one that has its codes.
  let companions: [String]
  /// Where endings are appended: to the key of the weight, or to its layer in place of `.weight`.
  let isOfLayer: Bool
  let rule: Rule

  init(
    _ name: String, word: String? = nil, signs: [String] = [], companions: [String] = [],
    isOfLayer: Bool = true, _ rule: Rule
  ) {
    self.name = name
    self.word = word
    self.signs = signs
    self.companions = companions
    self.isOfLayer = isOfLayer
    self.rule = rule
  }
}
