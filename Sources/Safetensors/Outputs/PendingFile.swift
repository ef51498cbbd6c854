import Machine
import Synchronization
package import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A file that is written in full before it takes its place.
///
/// Where the file system can, it has no name until `commit`, so that nothing remains of it even
/// if the process is killed. Elsewhere it is a hidden sibling that goes with the value, or, if the
/// process is killed, when something is next written there (see `Debris`).
package final class PendingFile: Sendable {
  package let target: FilePath
  package let file: FileDescriptor
  /// The hidden sibling, where the file has a name.
  private let hidden: Mutex<FilePath?>

  /// - Parameters:
  ///   - path: where it is to appear. A link is followed: what it points to is replaced.
  ///   - named: whether to do as on a file system that has no files without names
  /// - Throws: `notAFile` if what is there is not a file, `io`
  package init(_ path: FilePath, named: Bool = false) throws(SafetensorsError) {
    target = try Self.target(of: path)
    let name: FilePath?
    do throws(Errno) {
      (file, name) = try Self.create(in: target.folder, named)
    } catch {
      throw .io(path, .create, error)
    }
    hidden = Mutex(name)
    if let existing = try? Posix.status(target) {
      _ = fchmod(file.rawValue, existing.st_mode & 0o777)
    }
  }

  /// What a file written to `path` would replace.
  /// - Throws: `notAFile` if it is not a file, `io`
  package static func target(of path: FilePath) throws(SafetensorsError) -> FilePath {
    let target: FilePath
    do throws(Errno) {
      target = try resolve(path)
    } catch {
      throw .io(path, .create, error)
    }
    if let existing = try? Posix.status(target), FileKind(existing) != .regular {
      throw .notAFile(path, found: FileKind(existing))
    }
    return target
  }

  deinit {
    // After `commit` there is nothing of this name any more.
    if let hidden = hidden.withLock({ $0 }) { try? Posix.remove(hidden) }
    Posix.closeFile(file)
  }

  /// Appends bytes.
  /// - Throws: `io`
  package func write(_ bytes: borrowing RawSpan) throws(SafetensorsError) {
    do { try Posix.writeAll(bytes, to: file) } catch { throw .io(target, .write, error) }
  }

  /// Puts on disk what was written.
  /// - Throws: `io`
  package func sync() throws(SafetensorsError) {
    do { try Posix.sync(file) } catch { throw .io(target, .sync, error) }
  }

  /// Puts the whole file in the place of what was there; it must be synced.
  /// - Throws: `io`
  package func commit() throws(SafetensorsError) {
    do throws(Errno) {
      if hidden.withLock({ $0 }) == nil {
        do {
          return try Posix.name(file, target)
        } catch .fileExists {
          // A name can be given only where there is none, so the exchange takes two steps.
        }
      }
      try Posix.move(try stage(), to: target)
    } catch {
      throw .io(target, .rename, error)
    }
  }

  /// Gives the file a hidden name beside its target, if it has none.
  func stage() throws(Errno) -> FilePath {
    if let hidden = hidden.withLock({ $0 }) { return hidden }
    let sibling = target.folder.appending(Posix.temporaryName())
    try Posix.name(file, sibling)
    hidden.withLock { $0 = sibling }
    return sibling
  }

  /// Leaves the hidden name to whoever finishes an exchange.
  func handOver() { hidden.withLock { $0 = nil } }

  private static func create(
    in folder: FilePath, _ named: Bool
  ) throws(Errno) -> (FileDescriptor, hidden: FilePath?) {
    if !named, let file = try? Posix.unnamedFile(in: folder, mode: 0o666) {
      // It gets its name through /proc, which may be missing: better known now than at the end.
      if (try? Posix.status(Posix.link(to: file))) != nil {
        // Nobody sweeps away what is locked, should it get a hidden name.
        _ = Posix.lock(file)
        return (file, nil)
      }
      Posix.closeFile(file)
    }
    while true {
      let path = folder.appending(Posix.temporaryName())
      let file = try Posix.openFile(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o666)
      // Whoever swept here in between holds the lock, and has removed the name when it is free.
      _ = Posix.lock(file, waits: true)
      if let status = try? Posix.status(file), status.st_nlink > 0 { return (file, path) }
      Posix.closeFile(file)
    }
  }

  /// The file that a chain of links ends at, whether it exists or not.
  static func resolve(_ path: FilePath) throws(Errno) -> FilePath {
    var path = path
    for _ in 0..<40 {
      let next: FilePath
      do {
        next = try Posix.target(ofLink: path)
      } catch .invalidArgument, .noSuchFileOrDirectory {
        return path  // not a link
      }
      path = next.isAbsolute ? next : path.removingLastComponent().pushing(next)
    }
    throw .tooManySymbolicLinkLevels
  }
}

extension FilePath {
  /// The folder that the last component lies in; `.` for a bare name.
  package var folder: FilePath {
    let folder = removingLastComponent()
    return folder.isEmpty ? "." : folder
  }
}
