/// What a path leads to. Its raw value says so in words. Public as errors of `Safetensors` carry it.
@nonexhaustive
public enum FileKind: String, Sendable {
  /// A file with data.
  case regular = "a file"
  /// A folder.
  case folder = "a folder"
  /// A named pipe.
  case fifo = "a pipe"
  /// A socket.
  case socket = "a socket"
  /// A device, of characters or of blocks.
  case device = "a device"
  /// What else a system may have.
  case other = "something else"
}

#if canImport(Glibc)
  package import Glibc
#elseif canImport(Musl)
  package import Musl
#else
  package import Darwin
#endif

extension FileKind {
  package init(_ status: stat) {
    switch status.st_mode & S_IFMT {
    case S_IFREG: self = .regular
    case S_IFDIR: self = .folder
    case S_IFIFO: self = .fifo
    case S_IFSOCK: self = .socket
    case S_IFCHR, S_IFBLK: self = .device
    default: self = .other
    }
  }
}
