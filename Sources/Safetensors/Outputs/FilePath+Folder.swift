package import Machine
package import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension FilePath {
  /// What it leads to, links followed; nil where there is nothing.
  package var kind: FileKind? { (try? Posix.status(self)).map(FileKind.init) }

  /// When its contents last changed, links followed, in nanoseconds since 1970; nil where there is nothing.
  package var modificationTime: Int? {
    guard let status = try? Posix.status(self) else { return nil }
    #if canImport(Darwin)
      let time = status.st_mtimespec
    #else
      let time = status.st_mtim
    #endif
    return Int(time.tv_sec) * 1_000_000_000 + Int(time.tv_nsec)
  }

  /// Names in a folder, sorted, without hidden ones.
  /// - Throws: `io`
  package func names() throws(SafetensorsError) -> [String] {
    do throws(Errno) { return try Posix.names(in: self) } catch { throw .io(self, .list, error) }
  }

  /// Regular files in a folder and the folders in it, relative to it, without hidden ones.
  /// - Parameter excluded: a folder that is passed over
  /// - Throws: `io`
  package func files(excluding excluded: FilePath) throws(SafetensorsError) -> [FilePath] {
    let other = FileIdentity(excluded)
    var files: [FilePath] = []
    func add(_ folder: FilePath, _ relative: FilePath) throws(SafetensorsError) {
      for name in try folder.names() {
        let path = folder.appending(named: name)
        switch path.kind {
        case .regular: files.append(relative.appending(named: name))
        case .folder:
          // Links to folders could go round in a circle.
          guard (try? Posix.linkStatus(path)).map(FileKind.init) == .folder else { continue }
          guard other == nil || FileIdentity(path) != other else { continue }
          try add(path, relative.appending(named: name))
        default: continue
        }
      }
    }
    try add(self, "")
    return files
  }

  /// Removes a file. One that is not there is no error.
  /// - Throws: `io`
  package func removeFile() throws(SafetensorsError) {
    do throws(Errno) { try Posix.remove(self) } catch .noSuchFileOrDirectory {} catch {
      throw .io(self, .remove, error)
    }
  }

  /// Removes a folder that is empty.
  /// - Throws: `io`
  package func removeFolder() throws(SafetensorsError) {
    do throws(Errno) { try Posix.removeFolder(self) } catch { throw .io(self, .remove, error) }
  }
}
