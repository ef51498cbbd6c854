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
    ("bm.weight", "tucker"), ("dora_scale", "dora"), ("lora_magnitude_vector", "dora"),
    ("bias_values", "sparse residual"), ("diff_b", "bias"), ("b_norm", "bias"),
    ("lora_up.bias", "bias"),
    ("rescale", "rescale"), ("scalar", "scalar"), ("reshape_weight", "reshape"),
  ]

  /// Beginning of the keys of an embedding that lies in an adapter.
  static let bundlePrefix = "bundle_emb."

  private static let table = SuffixTable()

  /// nil for a key that ends like no adapter's, whatever stands beside it.
  init?(_ key: String) {
    guard !key.hasPrefix(Self.bundlePrefix), let found = Self.table.split(key) else { return nil }
    (module, suffix) = found
  }
}
