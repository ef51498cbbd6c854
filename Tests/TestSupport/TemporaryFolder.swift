import Glibc
import Synchronization
package import SystemPackage

/// A fresh folder that vanishes with its contents when the value does.
package struct TemporaryFolder: ~Copyable {
  package let path: FilePath

  package init() { path = Self.make() }

  /// A folder that stays until the process ends, for what many tests share.
  package static func ofProcess() -> FilePath {
    let path = make()
    shared.withLock { $0.append(path) }
    return path
  }

  private static func make() -> FilePath {
    var generator = SystemRandomNumberGenerator()
    let place = getenv("TMPDIR").map { String(cString: $0) } ?? ""
    let path = FilePath(place.isEmpty ? "/tmp" : place)
      .appending("lyco-test-\(generator.next())")
    precondition(mkdir(path.string, 0o700) == 0, "no temporary folder \(path)")
    return path
  }

  private static let shared: Mutex<[FilePath]> = {
    atexit { shared.withLock { $0 }.forEach(removeTree) }
    return Mutex([])
  }()

  deinit { removeTree(path) }

  package func file(_ name: String) -> FilePath { path.appending(FilePath(name).components) }

  /// Names of everything directly in the folder, hidden entries included, sorted.
  package var entries: [String] { directoryEntries(path) }
}

/// Names in a folder, sorted; empty if it cannot be read.
package func directoryEntries(_ path: FilePath) -> [String] {
  guard let stream = opendir(path.string) else { return [] }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) {
      String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted()
}

/// Removes a folder with all that is in it, whatever its names, its depth and its permissions.
package func removeTree(_ path: FilePath) {
  guard unlink(path.string) != 0 else { return }
  removeEntries(of: AT_FDCWD, Array(path.string.utf8CString))
  rmdir(path.string)
}

/// By descriptors and bytes: names need not be UTF-8, and whole paths may be longer than the system takes.
private func removeEntries(of parent: CInt, _ name: [CChar]) {
  let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
  _ = fchmodat(parent, name, 0o700, 0)
  let folder = openat(parent, name, flags)
  guard folder >= 0, let stream = fdopendir(folder) else { return }
  defer { closedir(stream) }
  var names: [[CChar]] = []
  while let entry = readdir(stream) {
    withUnsafePointer(to: &entry.pointee.d_name) { start in
      let start = UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self)
      names.append(Array(UnsafeBufferPointer(start: start, count: strlen(start) + 1)))
    }
  }
  for name in names where name != [46, 0] && name != [46, 46, 0] {
    if unlinkat(folder, name, 0) == 0 { continue }
    removeEntries(of: folder, name)
    _ = unlinkat(folder, name, AT_REMOVEDIR)
  }
}
