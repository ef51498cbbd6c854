import CPlatform
import Machine
package import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A whole file mapped for reading, for as long as the value lives.
///
/// The system's defaults for reading ahead are kept: with a warm cache all of a 2 GB file is touched
/// in 0.07 s, and every `madvise` tried was slower, there or from disk. The mapping is private and survives replacement of the file by rename. A file that another
/// process cuts short while it is mapped ends this process.
@safe package final class MappedFile: @unchecked Sendable {
  /// For errors; the data need not have a name (see `unpacking`).
  package let path: FilePath
  package let count: Int
  private let start: UnsafeMutableRawPointer?

  /// - Throws: `io`, `notAFile`
  package convenience init(_ path: FilePath) throws(SafetensorsError) {
    let file: FileDescriptor
    do {
      // Opening a pipe must not wait for its writer.
      file = try Posix.openFile(path, O_RDONLY | O_NONBLOCK)
    } catch {
      // It cannot be opened at all, and the system says "no such device".
      if InputFile.kind(of: path) == .socket { throw .notAFile(path, found: .socket) }
      throw .io(path, .open, error)
    }
    defer { Posix.closeFile(file) }
    try self.init(file, path)
  }

  /// Maps an open file; the descriptor may be closed afterwards.
  init(_ file: FileDescriptor, _ path: FilePath) throws(SafetensorsError) {
    do {
      let status = try Posix.status(file)
      let kind = FileKind(status)
      guard kind == .regular else { throw SafetensorsError.notAFile(path, found: kind) }
      count = Int(status.st_size)
      guard count > 0 else {
        unsafe start = nil
        self.path = path
        return
      }
      let start = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, file.rawValue, 0)
      guard unsafe start != MAP_FAILED else { throw Errno(rawValue: errno) }
      unsafe self.start = start
      self.path = path
      if let start = unsafe start {
        unsafe path.withPlatformString { unsafe lyco_watch_mapping(start, count, $0) }
      }
    } catch let error as SafetensorsError {
      throw error
    } catch {
      throw .io(path, .map, error as? Errno ?? .ioError)
    }
  }

  /// Lets the end of this process by a file that was cut short be told by a line that names the file, with
  /// status 1, for as long as it runs. Without it, it is a bus error: signals belong to the program.
  package static func explainTruncation() { lyco_explain_bus_errors() }

  deinit {
    guard let start = unsafe start else { return }
    unsafe lyco_forget_mapping(start)
    unsafe munmap(start, count)
  }

  /// Lets go of the pages that lie within a range.
  func releasePages(_ range: Range<Int>) {
    guard let start = unsafe start else { return }
    let page = Int(getpagesize())
    let first = (range.lowerBound + page - 1) / page * page
    let last = range.upperBound / page * page
    if last > first { _ = unsafe madvise(start + first, last - first, MADV_DONTNEED) }
  }

  package var bytes: Span<UInt8> {
    @_lifetime(borrow self)
    get {
      let start = unsafe UnsafePointer(self.start?.assumingMemoryBound(to: UInt8.self))
      let buffer = unsafe UnsafeBufferPointer(start: start, count: count)
      return unsafe _overrideLifetime(Span(_unsafeElements: buffer), borrowing: self)
    }
  }
}
