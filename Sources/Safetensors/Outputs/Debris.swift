import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What killed processes have left in a folder.
///
/// A writer holds the lock of each of its hidden files for as long as it lives, whatever machine or
/// container its process number is of. A file whose lock is free is nobody's any more. Where the file
/// system has no locks, nothing is removed.
enum Debris {
  /// Finishes an exchange that was interrupted, and removes hidden files without a writer. What cannot
  /// be removed stays.
  /// - Throws: `unfinished`, `cannotFinish`, `io` where an exchange cannot be finished
  static func sweep(_ folder: FilePath) throws(SafetensorsError) {
    let names = (try? Posix.names(in: folder, hidden: true)) ?? []
    var abandoned: [(path: FilePath, file: FileDescriptor)] = []
    defer { for (_, file) in abandoned { Posix.closeFile(file) } }
    for name in names
    where name.hasPrefix(Posix.temporaryPrefix) && name.hasSuffix(Posix.temporarySuffix) {
      let path = folder.appending(name)
      guard let file = try? Posix.openFile(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK) else { continue }
      if Posix.lock(file) == true {
        abandoned.append((path, file))
      } else {
        Posix.closeFile(file)
      }
    }
    // Only now: whoever owned these files is dead, and has begun its exchange before, if at all. What
    // belongs to one has another name after this.
    if names.contains(Exchange.folderName) { try Exchange.finish(in: folder) }
    for (path, file) in abandoned {
      guard let named = try? Posix.linkStatus(path), let open = try? Posix.status(file),
        named.st_ino == open.st_ino, named.st_dev == open.st_dev
      else { continue }
      try? Posix.remove(path)
    }
  }
}
