import CPlatform
import Machine
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The system calls that `FileDescriptor` lacks or that need a path in an error, with typed errors.
enum Posix {
  /// Repeats an interrupted call; -1 becomes the error.
  static func check<Result: FixedWidthInteger>(
    _ call: () -> Result
  ) throws(Errno) -> Result {
    while true {
      let result = call()
      if result >= 0 { return result }
      let error = Errno(rawValue: errno)
      guard error == .interrupted else { throw error }
    }
  }

  static func openFile(
    _ path: FilePath, _ flags: CInt, mode: mode_t = 0
  ) throws(Errno) -> FileDescriptor {
    FileDescriptor(
      rawValue: try check {
        unsafe path.withPlatformString { unsafe open($0, flags | O_CLOEXEC, mode) }
      })
  }

  /// Nothing can be done about a failing close, so it is ignored.
  static func closeFile(_ file: FileDescriptor) { close(file.rawValue) }

  /// What a path leads to, links followed.
  static func status(_ path: FilePath) throws(Errno) -> stat {
    var status = stat()
    _ = try check { unsafe path.withPlatformString { unsafe stat($0, &status) } }
    return status
  }

  static func status(_ file: FileDescriptor) throws(Errno) -> stat {
    var status = stat()
    _ = try check { unsafe fstat(file.rawValue, &status) }
    return status
  }

  /// Most bytes of one write. Linux sizes the folios of its page cache by this, and looks long for
  /// large ones: on ext4 (6.18), 2 GB in steps of 1 to 2 MiB took 2 to 4 s, in steps of 64 to
  /// 512 KiB 0.9 to 1.3 s.
  private static let writeStep = 256 << 10

  /// Writes all of it at the file's position.
  static func writeAll(_ bytes: borrowing RawSpan, to file: FileDescriptor) throws(Errno) {
    var rest = bytes.extracting(...)
    while !rest.isEmpty {
      let written = try unsafe rest.withUnsafeBytes { bytes throws(Errno) in
        let (start, count) = (bytes.baseAddress, min(bytes.count, writeStep))
        return try check { unsafe write(file.rawValue, start, count) }
      }
      rest = rest.extracting(droppingFirst: written)
    }
  }

  static func sync(_ file: FileDescriptor) throws(Errno) {
    _ = try check { fsync(file.rawValue) }
  }

  /// Writes all bytes at a place of a file.
  static func patch(
    _ bytes: borrowing RawSpan, at offset: Int, to file: FileDescriptor
  ) throws(Errno) {
    var written = 0
    while written < bytes.byteCount {
      let place = off_t(offset + written)
      let count = try unsafe bytes.extracting(droppingFirst: written).withUnsafeBytes {
        bytes throws(Errno) in
        let (start, count) = (bytes.baseAddress, bytes.count)
        return try check { unsafe pwrite(file.rawValue, start, count, place) }
      }
      guard count > 0 else { throw .noSpace }
      written += count
    }
  }

  /// At most `limit` bytes from the start of a file.
  static func read(_ file: FileDescriptor, limit: Int) throws(Errno) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: limit)
    var filled = 0
    while filled < limit {
      let offset = filled
      var span = bytes.mutableSpan
      let count = try unsafe span.withUnsafeMutableBytes { buffer throws(Errno) in
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[offset...])
        let (start, size) = (rest.baseAddress, rest.count)
        return try check { unsafe pread(file.rawValue, start, size, off_t(offset)) }
      }
      guard count > 0 else { break }
      filled += count
    }
    bytes.removeLast(limit - filled)
    return bytes
  }

  /// A whole small file.
  static func contents(_ path: FilePath, limit: Int = 64 << 20) throws(Errno) -> [UInt8] {
    let file = try openFile(path, O_RDONLY | O_NONBLOCK)
    defer { closeFile(file) }
    return try read(file, limit: min(limit, Int(try status(file).st_size)))
  }

  /// What a path is, links not followed.
  static func linkStatus(_ path: FilePath) throws(Errno) -> stat {
    var status = stat()
    _ = try check { unsafe path.withPlatformString { unsafe lstat($0, &status) } }
    return status
  }

  static func makeFolder(_ path: FilePath) throws(Errno) {
    _ = try check { unsafe path.withPlatformString { unsafe mkdir($0, 0o777) } }
  }

  /// Removes a folder that is empty.
  static func removeFolder(_ path: FilePath) throws(Errno) {
    _ = try check { unsafe path.withPlatformString { unsafe rmdir($0) } }
  }

  /// Takes the lock of an open file or folder, which goes with the process.
  /// - Returns: whether it was free; `nil` where the file system has no locks
  static func lock(_ file: FileDescriptor, waits: Bool = false) -> Bool? {
    do throws(Errno) {
      _ = try check { lyco_lock(file.rawValue, waits ? 1 : 0) }
      return true
    } catch {
      return error == .wouldBlock ? false : nil
    }
  }

  /// Makes renames in a folder last.
  static func syncFolder(_ path: FilePath) throws(Errno) {
    let folder = try openFile(path, O_RDONLY | O_DIRECTORY)
    defer { closeFile(folder) }
    do { try sync(folder) } catch .invalidArgument {
      // Some network file systems cannot sync a folder.
    }
  }

  static func move(_ source: FilePath, to target: FilePath) throws(Errno) {
    _ = try check {
      unsafe source.withPlatformString { source in
        unsafe target.withPlatformString { unsafe rename(source, $0) }
      }
    }
  }

  static func remove(_ path: FilePath) throws(Errno) {
    _ = try check { unsafe path.withPlatformString { unsafe unlink($0) } }
  }

  /// The path a symbolic link holds.
  static func target(ofLink path: FilePath) throws(Errno) -> FilePath {
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    var span = bytes.mutableSpan
    let length = try unsafe span.withUnsafeMutableBufferPointer { buffer throws(Errno) in
      let capacity = buffer.count
      let start = UnsafeMutableRawPointer(buffer.baseAddress)
      return try check {
        unsafe path.withPlatformString { path in
          unsafe start.map {
            unsafe readlink(path, $0.assumingMemoryBound(to: CChar.self), capacity)
          } ?? 0
        }
      }
    }
    return FilePath(bytes: bytes[..<length])
  }

  /// A new file in a folder that vanishes when closed.
  static func temporaryFile(in folder: FilePath) throws(Errno) -> FileDescriptor {
    if let file = try? unnamedFile(in: folder, mode: 0o600) { return file }
    let path = folder.appending(temporaryName())
    let file = try openFile(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
    try remove(path)
    return file
  }

  /// A new file that has no name until `name(_:_:)` gives it one.
  static func unnamedFile(in folder: FilePath, mode: mode_t) throws(Errno) -> FileDescriptor {
    FileDescriptor(
      rawValue: try check {
        unsafe folder.withPlatformString { unsafe lyco_open_unnamed($0, CUnsignedInt(mode)) }
      })
  }

  /// Where the system shows an open file without a name.
  static func link(to file: FileDescriptor) -> FilePath {
    FilePath("/proc/self/fd/\(file.rawValue)")
  }

  /// Gives an unnamed file a name, which must be free.
  static func name(_ file: FileDescriptor, _ path: FilePath) throws(Errno) {
    _ = try check {
      unsafe link(to: file).withPlatformString { source in
        unsafe path.withPlatformString {
          unsafe linkat(AT_FDCWD, source, AT_FDCWD, $0, AT_SYMLINK_FOLLOW)
        }
      }
    }
  }

  /// What hidden names of ours begin with.
  static let temporaryPrefix = ".lyco-"
  static let temporarySuffix = ".tmp"

  /// A hidden name that nothing else has.
  static func temporaryName() -> String {
    "\(temporaryPrefix)\(String(UInt64.random(in: .min ... .max), radix: 36))\(temporarySuffix)"
  }

  /// Bytes a user may still write to the file system of a folder.
  static func freeSpace(_ folder: FilePath) throws(Errno) -> Int {
    var status = statvfs()
    _ = try check { unsafe folder.withPlatformString { unsafe statvfs($0, &status) } }
    let (bytes, overflow) = UInt64(status.f_bavail)
      .multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return overflow ? .max : Int(clamping: bytes)
  }

  /// The names in a folder, sorted: those that are not hidden, or those that are.
  static func names(in folder: FilePath, hidden: Bool = false) throws(Errno) -> [String] {
    guard let stream = unsafe folder.withPlatformString({ unsafe opendir($0) }) else {
      throw Errno(rawValue: errno)
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(fileName: unsafe Array(bytes.prefix { $0 != 0 }))
      }
      if name.hasPrefix(".") == hidden, name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
