import CPlatform
package import SystemPackage

/// One file being written: plain, or compressed if its name says so.
struct ShardOutput: ~Copyable {
  private let pending: PendingFile
  private var encoder: ZstdEncoder?
  /// Of a large plain file.
  private var direct: DirectOutput?
  private var written = 0
  /// Up to where the system was told to begin writing to disk.
  private var flushed = 0

  /// How much is handed to the disk at a time.
  private static let flushStep = 32 << 20

  private init(
    _ pending: PendingFile, _ encoder: consuming ZstdEncoder?, _ direct: consuming DirectOutput?
  ) {
    self.pending = pending
    self.encoder = encoder
    self.direct = direct
  }

  /// - Parameter length: of the file before compression
  static func create(_ path: FilePath, length: Int) throws(SafetensorsError) -> ShardOutput {
    let pending = try PendingFile(path)
    guard path.isCompressed else {
      return ShardOutput(pending, nil, DirectOutput.open(pending, length: length))
    }
    return ShardOutput(pending, try ZstdEncoder.create(length: length, for: path), nil)
  }

  mutating func append(_ bytes: borrowing RawSpan) throws(SafetensorsError) {
    guard encoder == nil else {
      try encoder?.pack(bytes, ending: false, to: pending.file)
      return
    }
    guard direct == nil else {
      do { try direct?.append(bytes) } catch { throw .io(pending.target, .write, error) }
      return
    }
    var rest = bytes.extracting(...)
    while !rest.isEmpty {
      let count = min(rest.byteCount, Self.flushStep)
      do {
        try Posix.writeAll(rest.extracting(first: count), to: pending.file)
      } catch {
        throw .io(pending.target, .write, error)
      }
      rest = rest.extracting(droppingFirst: count)
      written += count
      startWriteback()
    }
  }

  /// Lets the disk work while the next tensors are computed, so that the last sync is short.
  private mutating func startWriteback() {
    guard written - flushed >= Self.flushStep else { return }
    // Where it is not supported, the last sync does it all.
    _ = lyco_start_writeback(
      pending.file.rawValue, Int64(flushed), Int64(written - flushed))
    flushed = written
  }

  /// The file with all its bytes, not yet synced.
  consuming func finish() throws(SafetensorsError) -> PendingFile {
    try encoder?.pack(RawSpan(), ending: true, to: pending.file)
    let pending = pending
    if let direct = direct.take() {
      do { try direct.finish() } catch { throw .io(pending.target, .write, error) }
    }
    return pending
  }
}

extension FilePath {
  /// Whether the name asks for compression.
  package var isCompressed: Bool { self.extension == "zst" }
}
