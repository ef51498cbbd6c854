import Machine
package import SystemPackage

/// By what shards that were written together know one another.
///
/// Every shard has it in its metadata, the index in its own: a digest of all that was written, so that
/// equal checkpoints stay equal byte for byte. It takes its place in the headers when the last tensor
/// is written; compressed shards, whose header cannot be changed then, have none.
enum ShardSet {
  static let key = "lyco_set"
  /// As long as a digest.
  static let placeholder = String(repeating: "0", count: 16)

  /// Where the placeholder stands in a header.
  static func offset(in header: [UInt8]) -> Int? {
    let entry = Array("\"\(key)\":\"\(placeholder)\"".utf8)
    guard let range = header.firstRange(of: entry) else { return nil }
    return range.upperBound - 1 - placeholder.utf8.count
  }
}

extension FilePath {
  /// What torch's files are called.
  package static let torchEndings = [".ckpt", ".pt", ".pth", ".bin"]

  /// What files of other kinds are called.
  private static let otherEndings = [
    ".gguf", ".onnx", ".json", ".toml", ".yaml", ".txt", ".csv", ".npz", ".npy", ".png", ".jpg",
  ]

  /// - Throws: `torchName` for a name that software takes for a file of another kind
  package func checkIsSafetensors() throws(SafetensorsError) {
    var name = (lastComponent?.string ?? "").lowercased()
    if name.hasSuffix(".zst") { name.removeLast(4) }
    guard (Self.torchEndings + Self.otherEndings).contains(where: name.hasSuffix) else { return }
    throw .torchName(self)
  }

  /// The same name as one of safetensors.
  package var safetensorsName: FilePath {
    removingLastComponent().appending("\(stem ?? "model").safetensors")
  }

  /// Everything that holds the checkpoint of this name now: the file, or index and shards. Written anew in
  /// whatever form, it takes the place of them all: a loader could find another first.
  package var forms: [FilePath] {
    let names = (try? Posix.names(in: folder)) ?? []
    let (name, bare) = (lastComponent?.string ?? "", bareName)
    return names.filter { found in
      guard found != name else { return true }
      guard found.hasPrefix(bare) else { return false }
      let rest = found.dropFirst(bare.count)
      return rest == ".safetensors.index.json"
        || rest.wholeMatch(of: /-\d{5}-of-\d{5}\.safetensors(\.zst)?/) != nil
    }.map { removingLastComponent().appending(named: $0) }
  }

  /// Files that are superfluous once others of this name are written.
  func superseded(by written: [FilePath]) -> [FilePath] {
    var kept = Set(written.map(\.lastComponent))
    if written.count > 1 { kept.insert(shardIndex.lastComponent) }
    return forms.filter { !kept.contains($0.lastComponent) }
  }
}
