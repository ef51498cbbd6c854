package import SystemPackage

/// A log that cannot be written.
package enum LogError: Error, Equatable {
  case io(FilePath, Errno)
}

extension LogError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .io(let path, let error): "\(path): cannot write the log: \(error)"
    }
  }
}
