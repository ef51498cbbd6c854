import CPlatform
package import SystemPackage

#if canImport(Glibc)
  package import Glibc
#elseif canImport(Musl)
  package import Musl
#else
  package import Darwin
#endif

/// Files that are read whole: texts, configurations, images. Checkpoints are mapped instead.
///
/// What is no file is refused by its kind: opening a pipe would wait for a writer that may never come, and
/// a device may never end.
package enum InputFile {
  /// A configuration, a caption, a table: far more than people write.
  package static let mostText = 16 << 20

  /// All of a file.
  /// - Parameter limit: the most bytes that it may have.
  /// - Throws: `InputError`
  package static func bytes(
    of path: FilePath, atMost limit: Int = mostText
  ) throws(InputError) -> [UInt8] {
    let (file, size) = try opened(path)
    defer { close(file.rawValue) }
    guard size <= limit else { throw .tooLarge(size, limit: limit) }
    return try read(file, size)
  }

  /// The first bytes of a file, fewer where it is shorter.
  /// - Throws: `InputError`
  package static func firstBytes(
    of path: FilePath, _ count: Int
  ) throws(InputError) -> [UInt8] {
    let (file, size) = try opened(path)
    defer { close(file.rawValue) }
    return try read(file, min(size, count))
  }

  private static func opened(_ path: FilePath) throws(InputError) -> (FileDescriptor, size: Int) {
    let flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC
    // A socket cannot be opened at all; what it is tells more than why.
    if let kind = kind(of: path), kind != .regular { throw .kind(kind) }
    var number: CInt = -1
    repeat {
      number = unsafe path.withPlatformString { unsafe open($0, flags) }
    } while number < 0 && errno == EINTR
    guard number >= 0 else { throw .system(Errno(rawValue: errno)) }
    let file = FileDescriptor(rawValue: number)
    var status = stat()
    guard unsafe fstat(number, &status) == 0, FileKind(status) == .regular else {
      close(number)
      throw .kind(FileKind(status))
    }
    return (file, Int(status.st_size))
  }

  /// What a path leads to; nil for nothing.
  package static func kind(of path: FilePath) -> FileKind? { status(of: path).map(FileKind.init) }

  /// Size, time and kind of what a path leads to; nil for nothing.
  package static func status(of path: FilePath) -> stat? {
    var status = stat()
    guard unsafe path.withPlatformString({ unsafe stat($0, &status) }) == 0 else { return nil }
    return status
  }

  private static func read(
    _ file: FileDescriptor, _ count: Int
  ) throws(InputError) -> [UInt8] {
    var failure: Errno?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      do {
        while filled < count {
          let rest = unsafe UnsafeMutableRawBufferPointer(
            rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
          let step = try unsafe file.read(into: rest)
          guard step > 0 else { break }
          filled += step
        }
      } catch {
        failure = error as? Errno ?? .ioError
      }
    }
    if let failure { throw .system(failure) }
    return bytes
  }
}
