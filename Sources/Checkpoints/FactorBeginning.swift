import Safetensors

/// What PEFT made the factors of LoRA before training: `init_lora_weights`.
///
/// Most ways begin with a product of zero, so that B · A is the whole change. Some put a part of the weight
/// into the factors, and take it out of the base: then the change is B · A − B₀ · A₀, or the base is to be the
/// residual one. Source: PEFT `tuners/lora/layer.py`, `update_layer` and what it calls.
package struct FactorBeginning: Hashable, Sendable {
  /// As the configuration says it; nil where it names no way.
  package let name: String?
  /// Whether B · A is the whole change of the weight.
  package let isZero: Bool

  package static let zero = FactorBeginning(name: nil, isZero: true)

  /// Ways whose first product is zero. `eva` and `mica` choose one factor by the data or the weight and leave
  /// the other zero, `orthogonal` takes two whose product is.
  private static let zeroWays: Set<String> = ["gaussian", "eva", "mica", "orthogonal"]

  private init(name: String?, isZero: Bool) {
    self.name = name
    self.isZero = isZero
  }

  /// What a reader of an adapter should know of it; nil where there is nothing to say.
  package func notice(modules: Int) -> String? {
    guard let name else { return nil }
    return "init_lora_weights \(name): \(modules) \(modules == 1 ? "module" : "modules"), "
      + (isZero
        ? "whose product was zero before training"
        : "whose product was not zero before training: it is not the change of the weight without the "
          + "adapter as it was then, or on the base without that product")
  }

  /// A way that is not known counts as one that does not begin at zero.
  /// - Throws: `CheckpointError.configurationValue` for what is neither a name nor true or false
  init(_ value: JSONValue, _ reader: PEFTValueReader) throws(CheckpointError) {
    switch value {
    // False fills both factors at random, for debugging; the base stays whole.
    case .bool: self = .zero
    case .string(let name):
      self.init(name: name, isZero: Self.zeroWays.contains(name.lowercased()))
    default: throw reader.invalid("true, false or a name", value)
    }
  }
}
