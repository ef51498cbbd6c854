import Machine
package import OrderedCollections
package import SystemPackage
import TorchFiles

/// A whole checkpoint: one file, its shards, or a folder of components, mapped and checked.
///
/// Opening checks everything that can be wrong (see `Header`); reading cannot fail afterwards.
/// ```
/// let file = try TensorFile(opening: "model.safetensors")
/// let weight = file.tensors["conv_in.weight"]?.tensor()
/// ```
package struct TensorFile: Sendable {
  /// How the checkpoint lies on disk.
  package enum Layout: Sendable { case single, sharded, folder, compressed, torch }

  /// What will be asked of the views.
  package enum Contents: Sendable {
    case everything
    /// Names, formats and shapes only; compressed data is not unpacked, scattered data not gathered.
    case headers
  }

  package let path: FilePath
  package let layout: Layout
  /// `__metadata__`; of several files together, where the first to have a key decides.
  package let metadata: [String: String]
  /// In the order of the data; of several files in the order of their names.
  package let tensors: OrderedDictionary<String, TensorView>
  /// Of a shard, what the others of its set have too.
  let set: String?

  /// Opens a `.safetensors` file, plain or compressed with zstd, a file of torch's (`.pt`, `.ckpt`,
  /// `.bin`, `.pth`), the `.index.json` of shards of either kind, or a folder with one of them, or with
  /// components that are such folders.
  ///
  /// What a file is its content says, not its name. Compressed files are unpacked to an unnamed file
  /// in `$TMPDIR`.
  /// - Complexity: O(n log n) in the length of the headers, plus the data where compressed
  /// A set whose files are being replaced, or were when the writer was stopped, is refused: see `Exchange`.
  /// - Throws: every case of `SafetensorsError` that does not speak of writing
  package init(
    opening path: FilePath, reading contents: Contents = .everything
  ) throws(SafetensorsError) {
    let kind: FileKind
    do {
      kind = FileKind(try Posix.status(path))
    } catch {
      // What an exchange has not put in its place yet is missing for that reason.
      try Exchange.check(path, isFolder: false)
      throw .io(path, .open, error)
    }
    self = try kind == .folder ? Self.folder(path, contents) : Self.file(path, contents)
  }

  init(
    _ path: FilePath, _ layout: Layout, _ metadata: [String: String],
    _ tensors: OrderedDictionary<String, TensorView>, set: String? = nil
  ) {
    self.path = path
    self.layout = layout
    self.metadata = metadata
    self.tensors = tensors
    self.set = set
  }
}

extension TensorFile {
  /// What is not a folder: an index or a file.
  static func file(
    _ path: FilePath, _ contents: Contents
  ) throws(SafetensorsError) -> TensorFile {
    path.lastComponent.map { ModelFolder.isIndex($0.string) } ?? false
      ? try sharded(index: path, contents) : try single(path, contents)
  }

  /// One file.
  static func single(
    _ path: FilePath, _ contents: Contents
  ) throws(SafetensorsError) -> TensorFile {
    try Exchange.check(path, isFolder: false)
    let mapping = try MappedFile(path)
    if ZstdDecoder.recognizes(mapping.bytes) { return try compressed(mapping, contents) }
    if TorchFile.recognizes(mapping.bytes) { return try torch(mapping, contents) }
    let header = try Header(parsing: mapping.bytes, of: path)
    return TensorFile(path, .single, header, mapping)
  }

  /// One compressed file. The header comes first, so that it can be checked before the rest is
  /// unpacked, or instead.
  private static func compressed(
    _ packed: MappedFile, _ contents: Contents
  ) throws(SafetensorsError) -> TensorFile {
    let path = packed.path
    var decoder = try ZstdDecoder(packed)
    let prefix = try decoder.read(Header.prefixLength)
    let length = try Header.length(in: prefix.span, of: path)
    let json = try decoder.read(length)
    guard json.count == length else {
      throw .headerBeyondEnd(path, length: length, available: json.count)
    }
    let header = try Header(json: json.span, of: path)
    guard contents == .everything else {
      return TensorFile(path, .compressed, header, nil)
    }
    let mapping = try MappedFile.unpacking(
      decoder, behind: prefix + json, to: header.fileLength, of: path)
    return TensorFile(path, .compressed, header, mapping)
  }

  private init(_ path: FilePath, _ layout: Layout, _ header: Header, _ mapping: MappedFile?) {
    var tensors = OrderedDictionary<String, TensorView>(minimumCapacity: header.entries.count)
    for entry in header.entries {
      let start = header.dataStart
      let range = start + entry.range.lowerBound..<start + entry.range.upperBound
      tensors[entry.name] = TensorView(
        entry.name, entry.dtype, entry.shape, at: range, in: path, mapping)
    }
    var metadata = header.metadata
    let set = metadata.removeValue(forKey: ShardSet.key)
    self.init(path, layout, metadata, tensors, set: set)
  }
}
