import Machine
package import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// An output that is written through and never replaced: a device, a pipe, or what another descriptor of
/// this process stands for, such as `/dev/stdout`.
struct OutputStream {
  private let path: FilePath

  /// nil where a file is to be replaced or made.
  /// - Throws: `notAFile` for folders and sockets
  init?(_ path: FilePath) throws(SafetensorsError) {
    self.path = path
    guard let status = try? Posix.status(path) else { return nil }
    switch FileKind(status) {
    case .regular:
      // A file behind a descriptor has its writer, whose place is to go on.
      guard Self.descriptors.contains(where: path.absolute.string.hasPrefix) else { return nil }
    case .device, .fifo: break
    case .folder, .socket, .other: throw .notAFile(path, found: FileKind(status))
    }
  }

  private static let descriptors = ["/dev/fd/", "/dev/std", "/proc/"]

  /// Whether it may be written to. It is not opened: the reader of a pipe would see its end.
  func check() throws(SafetensorsError) {
    do throws(Errno) {
      _ = try Posix.check { unsafe path.withPlatformString { unsafe access($0, W_OK) } }
    } catch {
      throw .io(path, .open, error)
    }
  }

  func write(_ bytes: [UInt8]) throws(SafetensorsError) {
    do throws(Errno) {
      // A pipe without a reader is an error, not a wait without end.
      let file = try Posix.openFile(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY)
      defer { Posix.closeFile(file) }
      _ = fcntl(file.rawValue, F_SETFL, O_APPEND)
      try unsafe Posix.writeAll(bytes.span.bytes, to: file)
    } catch {
      throw .io(path, .write, error)
    }
  }
}

extension FilePath {
  /// Whether what is written there goes to a device, to a pipe, or to where a descriptor of this process leads.
  package var isWrittenThrough: Bool { ((try? OutputStream(self)) ?? nil) != nil }

  /// Writes a file that appears whole or not at all. Devices and pipes are written to.
  /// - Throws: `notAFile`, `io`
  package func write(_ text: String) throws(SafetensorsError) { try write(Array(text.utf8)) }

  /// The same for bytes.
  /// - Throws: `notAFile`, `io`
  package func write(_ bytes: [UInt8]) throws(SafetensorsError) {
    if let stream = try OutputStream(self) { return try stream.write(bytes) }
    var set = OutputSet()
    try set.add(bytes, at: self)
    try set.commit()
  }
}
