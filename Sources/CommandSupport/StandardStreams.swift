import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Where everything but results goes.
package enum StandardError {
  package static func write(_ text: String) {
    _ = try? FileDescriptor.standardError.writeAll(text.utf8)
  }

  package static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}

/// Where results go. A reader that has gone away is no error.
package enum StandardOutput {
  package static func write(_ text: String) {
    _ = try? FileDescriptor.standardOutput.writeAll(text.utf8)
  }
}
