import CommandSupport
import Operations

/// A catalogue as people read it: a line for each file.
struct CatalogueText {
  let catalogue: Catalogue
  /// Rows of the table; nil for all.
  let limit: Int?
  /// Whether hashes and titles are shown whole.
  let isVerbose: Bool

  var text: String {
    var text = "\(catalogue.folder): \(catalogue.summary)".printable + "\n"
    let shown = limit.map { $0 > 0 ? catalogue.entries.prefix($0) : catalogue.entries[...] }
    var table = TextTable(
      ["kind", "family", "rank", "size", "date", "base", "title", "file"], rightAligned: [2, 3])
    for entry in shown ?? catalogue.entries[...] {
      table.append([
        entry.label, entry.family ?? "-", entry.rankText, "\(ByteCount(entry.bytes))",
        String((entry.date ?? entry.modified ?? "-").prefix(10)), entry.baseText(isVerbose),
        (entry.title ?? "-").printable.shortened(to: isVerbose ? 200 : 30), entry.file,
      ])
    }
    if !catalogue.entries.isEmpty { text += "\n" + table.text(width: Terminal.outputWidth) }
    if let shown, shown.count < catalogue.entries.count {
      text +=
        "… and \((catalogue.entries.count - shown.count).grouped) more; '--limit 0' shows all\n"
    }
    guard !catalogue.duplicates.isEmpty else { return text }
    text += "\nthe same tensors\n"
    for group in catalogue.duplicates {
      text += "  \(ByteCount(group.bytes)): \(group.files.joined(separator: ", "))".printable + "\n"
    }
    return text
  }
}

extension Catalogue {
  /// `297 adapters, 1 checkpoint, 3 broken files; 25.1 GiB`
  var summary: String {
    let kinds: [(InspectedKind, String, String)] = [
      (.adapter, "adapter", "adapters"), (.checkpoint, "checkpoint", "checkpoints"),
      (.embedding, "embedding", "embeddings"),
      (.unknown, "file of unknown kind", "files of unknown kind"),
    ]
    var parts = kinds.compactMap { kind, noun, plural -> String? in
      let count = entries.count { $0.kind == kind }
      return count > 0 ? count.counted(noun, plural) : nil
    }
    if !faults.isEmpty { parts.append(faults.count.counted("broken file")) }
    if caches > 0 { parts.append("\(caches.counted("cache")) of a trainer passed over") }
    return (parts.isEmpty ? "nothing" : parts.joined(separator: ", ")) + "; \(ByteCount(bytes))"
  }
}

extension CatalogueEntry {
  /// The algorithms of an adapter, the kind of anything else.
  var label: String {
    guard kind == .adapter else { return kind.rawValue }
    return algorithms.prefix(2).map(\.name.algorithmLabel).joined(separator: ", ")
      + (algorithms.count > 2 ? ", …" : "")
  }

  var rankText: String {
    guard let least = ranks.first, let most = ranks.last else { return "-" }
    return least == most ? "\(least)" : "\(least)-\(most)"
  }

  /// The name of the base without its folder, and the beginning of its hash.
  func baseText(_ isWhole: Bool) -> String {
    let name = baseModel.map { FileLabel.name($0).printable.shortened(to: isWhole ? 200 : 30) }
    let hash = baseHash.map { isWhole ? $0 : String($0.prefix(10)) }
    return [name, hash].compactMap { $0 }.joined(separator: " ").ifEmpty("-")
  }
}

extension String {
  func ifEmpty(_ other: String) -> String { isEmpty ? other : self }
}
