import Adapters
import Checkpoints

/// The name of an adapter's tensor: which module, and which of its tensors.
struct AdapterKey: Sendable {
  let module: String
  /// Canonical, whatever the spelling.
  let suffix: String

  /// Suffixes that go with several algorithms, by what they make of a module.
  static let features: [(suffix: String, name: String)] = [
    ("lora_mid.weight", "tucker"), ("hada_t1", "tucker"), ("lokr_t2", "tucker"),
    ("dora_scale", "dora"), ("bias_values", "sparse residual"), ("diff_b", "bias"),
    ("b_norm", "bias"), ("rescale", "rescale"), ("scalar", "scalar"),
    ("reshape_weight", "reshape"), ("set_weight", "replacement"),
  ]

  /// Beginning of the keys of an embedding that lies in an adapter.
  static let bundlePrefix = "bundle_emb."

  /// IA3's own 'weight' is left out: it is the name of any weight.
  private static let table = SuffixTable(
    further: InspectedAlgorithm.all.flatMap { $0.suffixes }.filter { $0 != "weight" }
      + features.map(\.suffix))

  /// nil for a key that ends like no adapter's.
  init?(_ key: String) {
    guard !key.hasPrefix(Self.bundlePrefix), let found = Self.table.split(key) else { return nil }
    (module, suffix) = found
  }
}
