import Glibc
package import SystemPackage

/// A fresh folder that vanishes with its contents when the value does.
package struct TemporaryFolder: ~Copyable {
  package let path: FilePath

  package init() {
    var generator = SystemRandomNumberGenerator()
    path = FilePath("/tmp/lyco-test-\(generator.next())")
    precondition(mkdir(path.string, 0o700) == 0, "no temporary folder \(path)")
  }

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

private func removeTree(_ path: FilePath) {
  for name in directoryEntries(path) {
    let child = path.appending(name)
    if unlink(child.string) != 0 { removeTree(child) }
  }
  rmdir(path.string)
}
