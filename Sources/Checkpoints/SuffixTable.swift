import Adapters

/// Splits the keys of an adapter file into module and canonical suffix, whatever the spelling.
package struct SuffixTable: Sendable {
  /// Endings of a key with the suffix each stands for, longest first, by what `tail` gives for them.
  private let endings: [String: [(ending: String, suffix: String)]]

  /// - Parameter further: suffixes beyond those of the algorithms that can be applied.
  package init(further: some Sequence<String> = EmptyCollection()) {
    var found: [String: String] = [:]
    for suffix in further { found["." + suffix] = suffix }
    for suffix in allAlgorithms.flatMap({ $0.suffixes }) + [alphaSuffix] {
      for ending in suffix.endings { found[ending] = suffix.name }
    }
    let sorted = found.map { (ending: $0.key, suffix: $0.value) }.sorted {
      ($1.ending.utf8.count, $0.ending) < ($0.ending.utf8.count, $1.ending)
    }
    endings = Dictionary(grouping: sorted) { Self.tail($0.ending) }
  }

  /// nil for a key that ends like no adapter's.
  package func split(_ key: String) -> (module: String, suffix: String)? {
    for (ending, suffix) in endings[Self.tail(key)] ?? []
    where key.hasSuffix(ending) && key != ending {
      return (String(key.dropLast(ending.count)), suffix)
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
