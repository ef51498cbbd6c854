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
/// if the process is killed. Elsewhere it is a hidden sibling that goes with the value.
package final class PendingFile: Sendable {
  let target: FilePath
  package let file: FileDescriptor
  /// The hidden sibling, where the file could not be without a name.
  private let hidden: FilePath?

  /// - Parameters:
  ///   - path: where it is to appear. A link is followed: what it points to is replaced.
  ///   - named: whether to do as on a file system that has no files without names
  /// - Throws: `notAFile` if what is there is not a file, `io`
  package init(_ path: FilePath, named: Bool = false) throws(SafetensorsError) {
    target = try Self.target(of: path)
    do throws(Errno) {
      (file, hidden) = try Self.create(in: target.folder, named)
    } catch {
      throw .io(path, .create, error)
    }
    if let existing = try? Posix.status(target) {
      _ = fchmod(file.rawValue, existing.st_mode & 0o777)
    }
  }

  /// What a file written to `path` would replace.
  /// - Throws: `notAFile` if it is not a file, `io`
  static func target(of path: FilePath) throws(SafetensorsError) -> FilePath {
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
    Posix.closeFile(file)
    // After `commit` there is nothing of this name any more.
    if let hidden { try? Posix.remove(hidden) }
  }

  /// Puts the whole file, already on disk, in the place of what was there.
  /// - Throws: `io`
  package func commit() throws(SafetensorsError) {
    do throws(Errno) {
      if let hidden {
        try Posix.move(hidden, to: target)
      } else {
        try nameUnnamed()
      }
    } catch {
      throw .io(target, .rename, error)
    }
  }

  private func nameUnnamed() throws(Errno) {
    do {
      return try Posix.name(file, target)
    } catch .fileExists {
      // A name can be given only where there is none, so the exchange takes two steps.
    }
    let sibling = target.folder.appending(Posix.temporaryName())
    try Posix.name(file, sibling)
    do {
      try Posix.move(sibling, to: target)
    } catch {
      try? Posix.remove(sibling)
      throw error
    }
  }

  private static func create(
    in folder: FilePath, _ named: Bool
  ) throws(Errno) -> (FileDescriptor, hidden: FilePath?) {
    if !named, let file = try? Posix.unnamedFile(in: folder, mode: 0o666) {
      // It gets its name through /proc, which may be missing: better known now than at the end.
      if (try? Posix.status(Posix.link(to: file))) != nil { return (file, nil) }
      Posix.closeFile(file)
    }
    let path = folder.appending(Posix.temporaryName())
    return (try Posix.openFile(path, O_RDWR | O_CREAT | O_EXCL, mode: 0o666), path)
  }

  /// The file that a chain of links ends at, whether it exists or not.
  private static func resolve(_ path: FilePath) throws(Errno) -> FilePath {
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
  var folder: FilePath {
    let folder = removingLastComponent()
    return folder.isEmpty ? "." : folder
  }
}
