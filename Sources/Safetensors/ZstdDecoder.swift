import CZstd

/// Unpacks a zstd stream (one or more frames) piece by piece in bounded memory.
@safe struct ZstdDecoder: ~Copyable {
  private let packed: MappedFile
  private let context: OpaquePointer
  private var position = 0
  /// Whether the input so far ends with a whole frame.
  private var isComplete = true

  /// Whether the bytes begin like a zstd frame. No safetensors file does: its header would exceed
  /// the cap.
  static func recognizes(_ bytes: Span<UInt8>) -> Bool {
    let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
    return bytes.count >= 4 && magic.indices.allSatisfy { bytes[$0] == magic[$0] }
  }

  /// - Throws: `corruptZstd` if there is no memory for a decoder
  init(_ packed: MappedFile) throws(SafetensorsError) {
    guard let context = unsafe ZSTD_createDCtx() else {
      throw .corruptZstd(packed.path, reason: "no memory for a decoder")
    }
    unsafe self.context = context
    self.packed = packed
  }

  deinit { _ = unsafe ZSTD_freeDCtx(context) }

  /// Fills `target` as far as the stream goes.
  /// - Returns: how many bytes; fewer than asked only at the end of the stream
  /// - Throws: `corruptZstd`, `truncatedZstd`
  mutating func read(into target: inout MutableRawSpan) throws(SafetensorsError) -> Int {
    let (context, packed) = unsafe (context, packed)
    var (position, isComplete) = (position, isComplete)
    let count = try unsafe target.withUnsafeMutableBytes { target throws(SafetensorsError) in
      try unsafe packed.bytes.withUnsafeBufferPointer { source throws(SafetensorsError) in
        var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
        var input = unsafe ZSTD_inBuffer(
          src: source.baseAddress, size: source.count, pos: position)
        while unsafe output.pos < output.size {
          let before = unsafe (input.pos, output.pos)
          let hint = unsafe ZSTD_decompressStream(context, &output, &input)
          guard ZSTD_isError(hint) == 0 else {
            throw .corruptZstd(packed.path, reason: unsafe String(cString: ZSTD_getErrorName(hint)))
          }
          // At a frame's end the hint is 0 also when called again without input.
          guard unsafe before != (input.pos, output.pos) else { break }
          isComplete = hint == 0
        }
        position = unsafe input.pos
        return unsafe output.pos
      }
    }
    (self.position, self.isComplete) = (position, isComplete)
    guard count == target.byteCount || isComplete else { throw .truncatedZstd(packed.path) }
    return count
  }

  /// As `read`, into a fresh array.
  mutating func read(_ count: Int) throws(SafetensorsError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    var target = unsafe span.mutableBytes
    let filled = try read(into: &target)
    bytes.removeLast(count - filled)
    return bytes
  }
}
