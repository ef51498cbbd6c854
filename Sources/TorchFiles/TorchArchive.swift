/// The parts of torch's zip archive. Every name in it begins with that of a folder, after the file it
/// was first saved to. Source: torch `serialization.py`, `caffe2/serialize/inline_container.cc`.
struct TorchArchive {
  /// The bytes of `data.pkl`.
  let pickle: Range<Int>
  /// By their keys, the names in the folder `data`.
  private(set) var storages: [String: Range<Int>] = [:]

  /// - Throws: `unsupported`
  init(_ directory: ZipDirectory, _ bytes: Span<UInt8>) throws(TorchFileError) {
    let entries = directory.entries
    let pickles = entries.keys.filter { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }
    guard let path = pickles.min(by: { ($0.utf8.count, $0) < ($1.utf8.count, $1) }),
      let pickle = entries[path]
    else { throw .unsupported(.otherZip) }
    let folder = path.dropLast("data.pkl".count)
    guard entries["\(folder)constants.pkl"] == nil,
      !entries.keys.contains(where: { $0.hasPrefix("\(folder)code/") })
    else { throw .unsupported(.torchScript) }
    if let order = entries["\(folder)byteorder"],
      !bytes.extracting(order.range).holds("little".utf8, at: 0)
    {
      throw .unsupported(.bigEndian)
    }
    self.pickle = pickle.range
    let data = "\(folder)data/"
    for (name, entry) in entries where name.hasPrefix(data) {
      storages[String(name.dropFirst(data.count))] = entry.range
    }
  }
}
