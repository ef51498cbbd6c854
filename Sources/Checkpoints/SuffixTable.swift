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
      for ending in suffix.endings {
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
    for (ending, suffix) in endings[Self.tail(key)] ?? []
    where key.hasSuffix(ending) && key != ending {
      return (String(key.dropLast(ending.count)), suffix)
    }
    return nil
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
