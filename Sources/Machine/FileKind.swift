/// What a path leads to.
package enum FileKind: String, Sendable {
  case regular = "a file"
  case folder = "a folder"
  case fifo = "a pipe"
  case socket = "a socket"
  case device = "a device"
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
