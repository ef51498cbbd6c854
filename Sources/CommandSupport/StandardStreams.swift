import Synchronization
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

/// Where results go. A result that could not be told is told at the end: see `failure`.
package enum StandardOutput {
  private static let firstFailure = Mutex<Errno?>(nil)

  package static func write(_ text: String) {
    do {
      _ = try FileDescriptor.standardOutput.writeAll(text.utf8)
    } catch {
      firstFailure.withLock { $0 = $0 ?? error as? Errno ?? .ioError }
    }
  }

  /// Why results were lost. A reader that has gone away wanted no more, which is no failure.
  static var failure: Errno? {
    firstFailure.withLock { $0 == .brokenPipe ? nil : $0 }
  }
}
