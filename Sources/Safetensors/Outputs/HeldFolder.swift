import Machine
package import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A folder that belongs to this value, by its lock: who removes empty folders asks for it first, so that one
/// that was just made stays until something is in it.
package final class HeldFolder: Sendable {
  private let path: FilePath
  private let file: FileDescriptor

  /// - Parameter waits: whether to wait for another owner
  /// - Returns: nil where there is no folder, or it belongs to another one, or the file system has no locks
  package init?(_ path: FilePath, waits: Bool = false) {
    while true {
      guard let file = try? Posix.openFile(path, O_RDONLY | O_DIRECTORY) else { return nil }
      guard Posix.lock(file, waits: waits) == true else {
        Posix.closeFile(file)
        return nil
      }
      // Who held it may have removed it meanwhile, and another have made it again.
      if FileIdentity(path) == FileIdentity(file) {
        (self.path, self.file) = (path, file)
        return
      }
      Posix.closeFile(file)
    }
  }

  deinit { Posix.closeFile(file) }

  /// Removes hidden files without a writer, see `Debris`. What cannot be removed stays.
  package func sweep() { try? Debris.sweep(path) }
}

extension OutputSet {
  /// `makeFolder` for a folder that others remove where they find it empty: they leave it as long as the value is
  /// there.
  /// - Returns: nil where the file system has no locks, and nobody removes anything
  /// - Throws: as `makeFolder`
  package func makeHeldFolder(_ path: FilePath) throws(SafetensorsError) -> HeldFolder? {
    while true {
      try makeFolder(path)
      let held = HeldFolder(path, waits: true)
      if held != nil || path.kind == .folder { return held }
    }
  }
}
