import Machine
import Synchronization
package import SystemPackage

/// Folders that are made for an output: those that were missing go again with the value if nothing was put
/// into them.
package final class MadeFolders: Sendable {
  private let made = Mutex<[(way: FolderWay, depth: Int)]>([])

  package init() {}

  deinit {
    // What is in use is not empty, and stays.
    for (way, depth) in made.withLock({ $0 }).reversed() { try? way.remove(depth) }
  }

  /// Makes a folder and those on the way to it.
  /// - Throws: `io`, `notAFolder` where something else has the name
  /// - Complexity: O(depth) calls of the system
  package func make(_ path: FilePath) throws(SafetensorsError) {
    let way = FolderWay(path)
    guard way.count > 0 else { throw .io(path, .create, .noSuchFileOrDirectory) }
    var missing = way.count
    while missing > 0 {
      do throws(Errno) {
        if FileKind(try way.status(missing - 1)) == .folder { break }
      } catch .fileNameTooLong where missing == way.count {
        // So are most of those on the way to it, of which there may be tens of thousands.
        throw .io(path, .create, .fileNameTooLong)
      } catch {}
      missing -= 1
    }
    for depth in missing..<way.count { try make(way, depth) }
  }

  private func make(_ way: FolderWay, _ depth: Int) throws(SafetensorsError) {
    do throws(Errno) {
      try way.make(depth)
      made.withLock { $0.append((way, depth)) }
    } catch .fileExists {
      // Somebody else was faster, or it is something else, or a link that leads nowhere.
      let kind = (try? way.status(depth)).map(FileKind.init) ?? .other
      guard kind == .folder else { throw .notAFolder(way.path(depth), found: kind) }
    } catch {
      throw .io(way.path(depth), .create, error)
    }
  }
}
