import Machine
package import OrderedCollections
public import SystemPackage
import TorchFiles

/// A whole checkpoint: one file, its shards, or a folder of components, mapped and checked.
///
/// Opening checks everything that can be wrong with a header, so that reading cannot fail afterwards: names,
/// formats and extents make sense, and the tensors fill the file without a gap or an overlap. A file of
/// torch's is read without running anything in it.
/// ```swift
/// let file = try TensorFile(opening: "model.safetensors")
/// for tensor in file { print(tensor.name, tensor.dtype, tensor.shape) }
/// if let weight = file["model.diffusion_model.out.2.weight"] { print(weight.tensor().elements) }
/// ```
/// The tensors are a collection, in the order of the data; of several files in the order of their names.
public struct TensorFile: Sendable {
  /// How the checkpoint lies on disk.
  public enum Layout: Sendable {
    /// One safetensors file.
    case single
    /// Several files with an index.
    case sharded
    /// A folder of components, each a model of its own.
    case folder
    /// One safetensors file within zstd.
    case compressed
    /// A file of `torch.save`.
    case torch
  }

  /// What will be asked of the tensors.
  public enum Contents: Sendable {
    /// Their numbers too.
    case everything
    /// Names, formats and shapes only; compressed data is not unpacked, scattered data not gathered.
    case headers
  }

  /// What was opened.
  public let path: FilePath
  /// How it lies on disk.
  public let layout: Layout
  /// `__metadata__`; of several files together, where the first to have a key decides. Empty if there is
  /// none.
  public let metadata: [String: String]
  /// In the order of the data; of several files in the order of their names.
  package let tensors: OrderedDictionary<String, TensorView>
  /// Of a shard, what the others of its set have too.
  let set: String?

  /// Opens a `.safetensors` file, plain or compressed with zstd, a file of torch's (`.pt`, `.ckpt`,
  /// `.bin`, `.pth`), the `.index.json` of shards of either kind, or a folder with one of them, or with
  /// components that are such folders.
  ///
  /// What a file is its content says, not its name. Compressed files are unpacked to an unnamed file
  /// in `$TMPDIR`. A set whose files are being replaced, or were when the writer was stopped, is refused.
  /// - Parameters:
  ///   - path: of the file, the index or the folder.
  ///   - contents: what will be asked of the tensors.
  /// - Throws: every case of `SafetensorsError` that does not speak of writing
  /// - Complexity: O(n log n) in the length of the headers, plus the data where compressed
  public init(
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
