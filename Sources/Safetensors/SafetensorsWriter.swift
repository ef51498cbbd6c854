public import SystemPackage
import Tensors

/// Writes a checkpoint that appears only when whole.
///
/// The header comes first, so every tensor is announced before the first byte. Nothing is visible
/// until `finish`, or until the set that it is sealed into takes its place; a writer that is dropped, a full
/// disk or the end of the process leaves what was there. The target may be a file that is open for reading: it
/// is replaced, not overwritten.
///
/// Equal tensors and metadata give equal bytes, those of the reference implementation (which
/// writes several metadata keys in random order; here they are sorted).
/// ```swift
/// let tensors = ["ones": EncodedTensor(Tensor([2], [1, 1]), as: .f16)]
/// var writer = try SafetensorsWriter.create(
///   "ones.safetensors",
///   announcing: tensors.map { TensorInfo(name: $0, dtype: $1.dtype, shape: $1.shape) })
/// for info in writer.order {
///   if let tensor = tensors[info.name] { try writer.append(info.name, tensor) }
/// }
/// try writer.finish()
/// ```
public struct SafetensorsWriter: ~Copyable, Sendable {
  /// The announced tensors in the order in which `append` takes them.
  public let order: [TensorInfo]
  private let path: FilePath
  private let shards: [Shard]
  /// Where the tensors will lie: the target, or its shards.
  package var files: [FilePath] { shards.map(\.path) }
  /// Of the contents of all shards, by which they know one another; nil where there is one.
  private var digest: ContentDigest?
  /// Of the next tensor in `order`.
  private var next = 0
  /// Bytes of that tensor that are written.
  private var written = 0
  private var output: ShardOutput?
  private var finished: [PendingFile] = []

  /// One file: its tensors, as a range of `order`, and the bytes before their data.
  struct Shard: Sendable {
    let path: FilePath
    let tensors: Range<Int>
    let header: [UInt8]
    let byteCount: Int
  }

  /// Checks the target and writes the header.
  /// - Parameters:
  ///   - path: compressed with zstd if it ends in `.zst`
  ///   - tensors: in any order
  ///   - metadata: `__metadata__` of every file; empty for none
  ///   - shardSize: most bytes of data per file, unless one tensor has more. If all fit, `path` is
  ///     written; else `name-00001-of-00003.safetensors` and so on, with
  ///     `name.safetensors.index.json`. What was written under this name in another number of
  ///     files goes when the new ones come.
  /// - Precondition: the names of the tensors differ, none is `__metadata__`, and elements of less than a byte
  ///   fill whole bytes
  /// - Throws: `torchName`, `notAFile`, `io`, `noSpace`, `headerTooLarge`, `zstdEncoder`
  public static func create(
    _ path: FilePath, announcing tensors: [TensorInfo], metadata: [String: String] = [:],
    shardSize: Int? = nil
  ) throws(SafetensorsError) -> SafetensorsWriter {
    try path.checkIsSafetensors()
    let order = tensors.sorted(by: TensorInfo.precedes)
    for tensor in order {
      precondition(
        Shape.product([tensor.shape.count, tensor.dtype.bitsPerElement]).isMultiple(of: 8),
        "tensor '\(tensor.name)': \(tensor.dtype) \(tensor.shape) does not fill whole bytes")
    }
    let names = Set(order.map(\.name))
    precondition(
      names.count == order.count, "\(order.count) tensors announced under \(names.count) names")
    precondition(!names.contains("__metadata__"), "a tensor announced as '__metadata__'")

    let ranges = split(order, shardSize)
    let paths =
      ranges.count == 1
      ? [path] : ranges.indices.map { path.shard($0 + 1, of: ranges.count) }
    let isSet = ranges.count > 1 && !path.isCompressed
    let ofSet = metadata.merging([ShardSet.key: ShardSet.placeholder]) { $1 }
    let shards = zip(paths, ranges).map { path, range in
      let header =
        isSet
        ? HeaderEncoding(order[range], metadata: ofSet).bytes
        : HeaderEncoding(ofFile: order[range], metadata: metadata).bytes
      return Shard(
        path: path, tensors: range, header: header,
        byteCount: header.count + order[range].reduce(0) { $0 + $1.byteCount })
    }
    if let shard = shards.first(where: { $0.header.count - 8 > Header.largestLength }) {
      throw .headerTooLarge(shard.path, length: UInt64(shard.header.count - 8))
    }
    // Everything that can fail at the end is better known before the work.
    for path in shards.map(\.path) + (shards.count == 1 ? [] : [path.shardIndex]) {
      _ = try PendingFile.target(of: path)
    }
    try checkSpace(for: shards, path)
    var writer = SafetensorsWriter(order: order, path: path, shards: shards, isSet: isSet)
    try writer.open(shards[0])
    return writer
  }

  private init(order: [TensorInfo], path: FilePath, shards: [Shard], isSet: Bool) {
    self.order = order
    self.path = path
    self.shards = shards
    digest = isSet ? ContentDigest() : nil
  }

  /// The file that is to be opened to read the checkpoint: the index of shards if there are several.
  public var entry: FilePath { shards.count == 1 ? shards[0].path : path.shardIndex }

  /// The tensor that `append` takes next; nil if all are written.
  var expected: TensorInfo? { next < order.count ? order[next] : nil }

  /// Writes the next tensor of `order`, or the next part of it.
  /// - Precondition: `name` is that tensor, and its parts together have its size
  /// - Throws: `io`, `zstdEncoder`
  package mutating func append(
    _ name: String, _ bytes: borrowing RawSpan
  ) throws(SafetensorsError) {
    precondition(next < order.count, "tensor '\(name)' after all \(order.count) announced ones")
    let tensor = order[next]
    precondition(
      name == tensor.name,
      "tensor '\(name)' where '\(tensor.name)' comes next, from byte \(written) on")
    precondition(
      written + bytes.byteCount <= tensor.byteCount,
      "tensor '\(name)': \(written + bytes.byteCount) bytes for \(tensor.dtype) \(tensor.shape)")
    try output?.append(bytes)
    digest?.update(bytes)
    written += bytes.byteCount
    guard written == tensor.byteCount else { return }
    next += 1
    written = 0
    try advance()
  }

  /// Makes the checkpoint visible: syncs all files, then puts them in their places.
  /// - Precondition: every announced tensor was appended
  /// - Throws: `io`, `zstdEncoder`, `torn`
  public consuming func finish() throws(SafetensorsError) {
    var set = OutputSet()
    try seal(into: &set)
    try set.commit()
  }

  /// Leaves the files to a set, which makes them visible with others.
  /// - Parameter metadata: in the place of what was announced, where that was known at the end alone.
  /// - Precondition: every announced tensor was appended; other metadata are those of one file, not compressed, and
  ///   take as many bytes
  /// - Throws: `io`, `zstdEncoder`
  package consuming func seal(
    into set: inout OutputSet, metadata: [String: String]? = nil
  ) throws(SafetensorsError) {
    precondition(next == order.count, "finished after \(next) of \(order.count) tensors")
    try close()
    let id = digest?.text
    for (file, shard) in zip(finished, shards) {
      if let metadata {
        let header = HeaderEncoding(ofFile: order, metadata: metadata).bytes
        precondition(
          shards.count == 1 && !path.isCompressed && header.count == shard.header.count,
          "a header of \(header.count) bytes for one of \(shard.header.count)")
        try patch(header, at: 0, to: file, shard.path)
      }
      if let id, let offset = ShardSet.offset(in: shard.header) {
        try patch(Array(id.utf8), at: offset, to: file, shard.path)
      }
      set.add(file)
    }
    if shards.count > 1 {
      try set.add(Self.indexBytes(order, shards, set: id), at: path.shardIndex)
    }
    for path in path.superseded(by: shards.map(\.path)) { set.remove(path) }
  }

  private func patch(
    _ bytes: [UInt8], at offset: Int, to file: PendingFile, _ path: FilePath
  ) throws(SafetensorsError) {
    do throws(Errno) {
      try unsafe Posix.patch(bytes.span.bytes, at: offset, to: file.file)
    } catch {
      throw .io(path, .write, error)
    }
  }

  /// Goes on to the next file where one is full.
  private mutating func advance() throws(SafetensorsError) {
    guard finished.count + 1 < shards.count, next == shards[finished.count].tensors.upperBound
    else { return }
    try close()
    try open(shards[finished.count])
  }

  private mutating func open(_ shard: Shard) throws(SafetensorsError) {
    var output = try ShardOutput.create(shard.path, length: shard.byteCount)
    try unsafe output.append(shard.header.span.bytes)
    unsafe digest?.update(shard.header.span.bytes)
    self.output = consume output
  }

  private mutating func close() throws(SafetensorsError) {
    if let output = output.take() { finished.append(try output.finish()) }
  }
}
