import CZstd
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Packs one zstd frame of known length, on as many threads as there are cores.
@safe struct ZstdEncoder: ~Copyable, @unchecked Sendable {
  private let context: OpaquePointer
  private let path: FilePath
  private var buffer = [UInt8](repeating: 0, count: 1 << 20)

  private init(_ context: OpaquePointer, _ path: FilePath) {
    unsafe self.context = context
    self.path = path
  }

  /// - Parameter length: of the whole input, stored in the frame
  /// - Throws: `zstdEncoder`
  static func create(
    length: Int, for path: FilePath
  ) throws(SafetensorsError) -> ZstdEncoder {
    guard let context = unsafe ZSTD_createCCtx() else {
      throw .zstdEncoder(path, reason: "no memory")
    }
    let encoder = unsafe ZstdEncoder(context, path)
    try encoder.check(unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 3))
    try encoder.check(unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1))
    try encoder.check(unsafe ZSTD_CCtx_setPledgedSrcSize(context, UInt64(length)))
    // A library without threads refuses, and packs on this one.
    let threads = max(1, CInt(clamping: sysconf(CInt(_SC_NPROCESSORS_ONLN))))
    _ = unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, threads)
    return encoder
  }

  deinit { _ = unsafe ZSTD_freeCCtx(context) }

  /// Packs the next bytes; with `ending`, also all that is still held back.
  /// - Throws: `zstdEncoder`, `io`
  mutating func pack(
    _ bytes: borrowing RawSpan, ending: Bool, to file: FileDescriptor
  ) throws(SafetensorsError) {
    let mode = ending ? ZSTD_e_end : ZSTD_e_continue
    let size = bytes.byteCount
    var (position, isDone) = (0, false)
    while !isDone {
      let produced: Int
      (produced, position, isDone) = try step(bytes, from: position, size, mode)
      do {
        try unsafe Posix.writeAll(buffer.span.bytes.extracting(first: produced), to: file)
      } catch {
        throw .io(path, .write, error)
      }
    }
  }

  /// One call of the library: how much came out, how far the input was read, whether it is done.
  private mutating func step(
    _ bytes: borrowing RawSpan, from position: Int, _ size: Int, _ mode: ZSTD_EndDirective
  ) throws(SafetensorsError) -> (produced: Int, position: Int, isDone: Bool) {
    let (context, path) = unsafe (context, path)
    var span = buffer.mutableSpan
    return try unsafe span.withUnsafeMutableBytes { target throws(SafetensorsError) in
      try unsafe bytes.withUnsafeBytes { source throws(SafetensorsError) in
        var output = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
        var input = unsafe ZSTD_inBuffer(src: source.baseAddress, size: size, pos: position)
        let rest = unsafe ZSTD_compressStream2(context, &output, &input, mode)
        guard ZSTD_isError(rest) == 0 else {
          throw .zstdEncoder(path, reason: unsafe String(cString: ZSTD_getErrorName(rest)))
        }
        let isDone = unsafe mode == ZSTD_e_end ? rest == 0 : input.pos == input.size
        return unsafe (output.pos, input.pos, isDone)
      }
    }
  }

  private func check(_ result: Int) throws(SafetensorsError) {
    guard ZSTD_isError(result) == 0 else {
      throw .zstdEncoder(path, reason: unsafe String(cString: ZSTD_getErrorName(result)))
    }
  }
}
