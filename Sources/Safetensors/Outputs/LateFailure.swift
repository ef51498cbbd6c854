package import SystemPackage

/// What went wrong after an output was finished: it must not make the user believe that all is lost.
package struct LateFailure: Error, CustomStringConvertible {
  private let written: FilePath
  private let error: any Error

  package init(_ error: any Error, written: FilePath) {
    (self.error, self.written) = (error, written)
  }

  package var description: String { "\(error); \(written) is written" }

  /// Does what comes after an output.
  package static func after(_ written: FilePath, _ body: () throws -> Void) throws {
    do { try body() } catch { throw LateFailure(error, written: written) }
  }
}
