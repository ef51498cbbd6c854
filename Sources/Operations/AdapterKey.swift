import Adapters

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

  /// Endings of a key with the suffix each stands for, longest first, by what `tail` gives for them.
  private static let endings: [String: [(ending: String, suffix: String)]] = {
    var found: [String: String] = [:]
    // IA3's own 'weight' is the name of any weight.
    for suffix in InspectedAlgorithm.all.flatMap({ $0.suffixes }) + features.map(\.suffix)
    where suffix != "weight" {
      found["." + suffix] = suffix
    }
    for suffix in allAlgorithms.flatMap({ $0.suffixes }) + [alphaSuffix] {
      for ending in suffix.endings { found[ending] = suffix.name }
    }
    let sorted = found.map { (ending: $0.key, suffix: $0.value) }.sorted {
      ($1.ending.utf8.count, $0.ending) < ($0.ending.utf8.count, $1.ending)
    }
    return Dictionary(grouping: sorted) { tail($0.ending) }
  }()

  /// The last part of a dotted name, or the last two where the last says nothing.
  private static func tail(_ name: String) -> String {
    let bytes = name.utf8
    let dot = UInt8(ascii: ".")
    guard let last = bytes.lastIndex(of: dot) else { return name }
    let part = name[bytes.index(after: last)...]
    guard part == "weight" || part == "bias", let before = bytes[..<last].lastIndex(of: dot) else {
      return String(part)
    }
    return String(name[bytes.index(after: before)...])
  }

  /// nil for a key that ends like no adapter's.
  init?(_ key: String) {
    guard !key.hasPrefix(Self.bundlePrefix) else { return nil }
    for (ending, suffix) in Self.endings[Self.tail(key)] ?? []
    where key.hasSuffix(ending) && key != ending {
      module = String(key.dropLast(ending.count))
      self.suffix = suffix
      return
    }
    return nil
  }
}
