import Adapters

/// Splits the keys of an adapter file into module and canonical suffix, whatever the spelling.
package struct SuffixTable: Sendable {
  /// Endings of a key with the suffix each stands for, longest first, by what `tail` gives for them.
  private let endings: [String: [(ending: String, suffix: String)]]

  /// Suffixes that count only beside a tensor that identifies an algorithm, with its markers.
  private static let companions: [(suffix: String, markers: Set<String>)] =
    allAlgorithms.flatMap { algorithm in
      algorithm.suffixes.filter(\.needsMarker).map { ($0.name, algorithm.markers) }
    }

  package init() {
    var found: [String: String] = [:]
    for suffix in allAlgorithms.flatMap({ $0.suffixes }) + [alphaSuffix]
    where !suffix.needsMarker {
      // HCP-Diffusion puts a word of its own before whatever belongs to a layer.
      for ending in suffix.endings + [".___.layer.\(suffix.name)"] {
        found[ending] = suffix.name
        found[Self.withAdapterName(ending)] = suffix.name
      }
    }
    let sorted = found.map { (ending: $0.key, suffix: $0.value) }.sorted {
      ($1.ending.utf8.count, $0.ending) < ($0.ending.utf8.count, $1.ending)
    }
    endings = Dictionary(grouping: sorted) { Self.tail($0.ending) }
  }

  /// An ending as PEFT has it in memory, and some write it: with the name of the adapter.
  private static func withAdapterName(_ ending: String) -> String {
    for last in [".weight", ".bias"] where ending.hasSuffix(last) {
      return ending.dropLast(last.count) + ".default" + last
    }
    return ending + ".default"
  }

  /// nil for a key that ends like no adapter's.
  package func split(_ key: String) -> (module: String, suffix: String)? {
    if let found = ProcessorNames.split(key) { return found }
    for (ending, suffix) in endings[Self.tail(key)] ?? []
    where key.hasSuffix(ending) && key != ending {
      return (String(key.dropLast(ending.count)), suffix)
    }
    return Self.withoutAdapterName(key).flatMap { split($0) }
  }

  /// What stands before the name of an adapter in PEFT's keys.
  private static let named: Set<Substring> = {
    let factors = [LoHa.self, LoKr.self].flatMap { (algorithm: any AdapterAlgorithm.Type) in
      algorithm.suffixes.map(\.name).filter { $0.hasPrefix("hada_") || $0.hasPrefix("lokr_") }
    }
    return Set(["lora_A", "lora_B", "lora_magnitude_vector"] + factors.map { $0[...] })
  }()

  /// A key as PEFT has it in memory, `….lora_A.NAME.weight`, as it is in a file; nil for any other.
  ///
  /// Every key of a checkpoint is asked for, so no more of it is looked at than its end.
  private static func withoutAdapterName(_ key: String) -> String? {
    let dot = UInt8(ascii: ".")
    let ending = key.hasSuffix(".weight") ? ".weight" : key.hasSuffix(".bias") ? ".bias" : ""
    let named = key.utf8.dropLast(ending.utf8.count)
    guard let name = named.lastIndex(of: dot) else { return nil }
    let before = named[..<name]
    guard let factor = before.lastIndex(of: dot),
      Self.named.contains(Substring(before[before.index(after: factor)...]))
    else { return nil }
    return String(Substring(before)) + ending
  }

  /// Splits a key that belongs to an adapter only because of its neighbours, as IA3's `weight` does
  /// beside `on_input`.
  /// - Parameter neighbours: suffixes of the tensors of a module.
  package static func split(
    _ key: String, beside neighbours: (_ module: String) -> some Collection<String>
  ) -> (module: String, suffix: String)? {
    for (suffix, markers) in companions where key.hasSuffix("." + suffix) {
      let module = String(key.dropLast(suffix.count + 1))
      if neighbours(module).contains(where: { markers.contains($0) }) { return (module, suffix) }
    }
    return nil
  }

  /// Splits the key of a norm that a control adapter brings along whole, by the names of Flux's original
  /// model and of diffusers. Checkpoints have the same keys: it counts only in an adapter.
  ///
  /// Sources: ComfyUI `lora_convert.py`, `convert_lora_bfl_control`; diffusers `lora_pipeline.py`,
  /// `_control_lora_supported_norm_keys`.
  static func splitNorm(_ key: String) -> (module: String, suffix: String)? {
    for ending in normEndings where key.hasSuffix(ending.norm + ending.parameter) {
      return (String(key.dropLast(ending.parameter.count)), Replacement.weight)
    }
    return nil
  }

  private static let normEndings: [(norm: String, parameter: String)] =
    [".query_norm", ".key_norm"].map { ($0, ".scale") }
    + [".norm_q", ".norm_k", ".norm_added_q", ".norm_added_k"].map { ($0, ".weight") }

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
}
