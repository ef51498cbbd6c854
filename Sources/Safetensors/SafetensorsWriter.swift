package import SystemPackage
import Tensors

/// Writes a checkpoint that appears only when whole.
///
/// The header comes first, so every tensor is announced before the first byte. Nothing is visible
/// until `finish`; a writer that is dropped, a full disk or the end of the process leaves what was
/// there. The target may be a file that is open for reading: it is replaced, not overwritten.
///
/// Equal tensors and metadata give equal bytes, those of the reference implementation (which
/// writes several metadata keys in random order; here they are sorted).
/// ```
/// var writer = try SafetensorsWriter.create(path, announcing: infos, metadata: [:])
/// for info in writer.order { try writer.append(info.name, bytes(of: info)) }
/// try writer.finish()
/// ```
package struct SafetensorsWriter: ~Copyable, Sendable {
  /// The announced tensors in the order in which `append` takes them.
  package let order: [TensorInfo]
  private let shards: [Shard]
  /// Where the tensors will lie: the target, or its shards.
  package var files: [FilePath] { shards.map(\.path) }
  /// What is to list the shards, if there are several.
  private let index: (path: FilePath, bytes: [UInt8])?
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
  ///   - tensors: in any order; names differ, and sub-byte elements fill whole bytes
  ///   - metadata: `__metadata__` of every file; empty for none
  ///   - shardSize: most bytes of data per file, unless one tensor has more. If all fit, `path` is
  ///     written; else `name-00001-of-00003.safetensors` and so on, with
  ///     `name.safetensors.index.json`.
  /// - Throws: `notAFile`, `io`, `noSpace`, `headerTooLarge`, `zstdEncoder`
  package static func create(
    _ path: FilePath, announcing tensors: [TensorInfo], metadata: [String: String],
    shardSize: Int? = nil
  ) throws(SafetensorsError) -> SafetensorsWriter {
    let order = tensors.sorted(by: TensorInfo.precedes)
    for tensor in order {
      precondition(
        (tensor.shape.count * tensor.dtype.bitsPerElement).isMultiple(of: 8),
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
    let shards = zip(paths, ranges).map { path, range in
      let header = HeaderEncoding(order[range], metadata: metadata).bytes
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
    var writer = SafetensorsWriter(
      order: order, shards: shards,
      index: ranges.count == 1 ? nil : (path.shardIndex, indexBytes(order, shards)))
    try writer.open(shards[0])
    return writer
  }

  private init(order: [TensorInfo], shards: [Shard], index: (FilePath, [UInt8])?) {
    self.order = order
    self.shards = shards
    self.index = index
  }

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
    written += bytes.byteCount
    guard written == tensor.byteCount else { return }
    next += 1
    written = 0
    try advance()
  }

  /// Makes the checkpoint visible: syncs all files, then renames them, the index last.
  /// - Precondition: every announced tensor was appended
  /// - Throws: `io`, `zstdEncoder`
  package consuming func finish() throws(SafetensorsError) {
    precondition(next == order.count, "finished after \(next) of \(order.count) tensors")
    try close()
    if let index {
      let file = try PendingFile(index.path)
      do {
        try unsafe Posix.writeAll(index.bytes.span.bytes, to: file.file)
      } catch {
        throw .io(index.path, .write, error)
      }
      finished.append(file)
    }
    for file in finished {
      do { try Posix.sync(file.file) } catch { throw .io(file.target, .sync, error) }
    }
    for file in finished { try file.commit() }
    for folder in Set(finished.map(\.target.folder)) {
      do { try Posix.syncFolder(folder) } catch { throw .io(folder, .sync, error) }
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
    self.output = consume output
  }

  private mutating func close() throws(SafetensorsError) {
    if let output = output.take() { finished.append(try output.finish()) }
  }
}
