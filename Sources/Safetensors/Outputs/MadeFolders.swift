import Machine
import Synchronization
package import SystemPackage

/// Folders that are made for an output: those that were missing go again with the value if nothing was put
/// into them.
package final class MadeFolders: Sendable {
  private let made = Mutex<[FilePath]>([])

  package init() {}

  deinit {
    // What is in use is not empty, and stays.
    for folder in made.withLock({ $0 }).reversed() { try? Posix.removeFolder(folder) }
  }

  /// Makes a folder and those on the way to it.
  /// - Throws: `io`, `notAFile` where something else has the name
  package func make(_ path: FilePath) throws(SafetensorsError) {
    do throws(Errno) {
      if FileKind(try Posix.status(path)) == .folder { return }
    } catch .fileNameTooLong {
      // So are most of those on the way to it, of which there may be tens of thousands.
      throw .io(path, .create, .fileNameTooLong)
    } catch {}
    var folder = path
    folder.removeLastComponent()
    if !folder.components.isEmpty { try make(folder) }
    do throws(Errno) {
      try Posix.makeFolder(path)
      made.withLock { $0.append(path) }
    } catch .fileExists {
      // Somebody else was faster, or it is something else, or a link that leads nowhere.
      let kind = (try? Posix.status(path)).map(FileKind.init) ?? .other
      guard kind == .folder else { throw .notAFolder(path, found: kind) }
    } catch {
      throw .io(path, .create, error)
    }
  }
}
