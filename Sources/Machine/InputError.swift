package import SystemPackage

/// Why a file cannot be read. The file is added by those who asked for it.
package enum InputError: Error, Equatable {
  case system(Errno)
  case kind(FileKind)
  case tooLarge(Int, limit: Int)
}

extension InputError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .system(let error): "cannot be read: \(error)"
    case .kind(let kind): "expected a file, found \(kind.rawValue)"
    case .tooLarge(let size, let limit):
      "expected at most \(limit >> 20) MiB, found "
        + (size >> 20 > limit >> 20 ? "\(size >> 20) MiB" : "\(size) bytes")
    }
  }
}
