import CPlatform
import Machine
package import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The step in which the files of a set take their places together.
///
/// No file system renames several files at once. So what is to be done is written down first: every
/// file is on disk under a hidden name, then a journal that names them all takes its place (from here
/// on the exchange has begun), then the files are renamed, then the journal goes. Whatever stops the
/// process in between, the journal tells: readers refuse the set (`check`), and it can be finished
/// (`finish`), by the next writer or at the user's wish. Nothing is unlinked before its successor is there.
///
/// In every folder that gets a file of the set lies a folder `.lyco-exchange` meanwhile: with the
/// journal in that which all others lie in, with the way to it in the others. Its lock is held for
/// as long as the exchange takes, so that one exchange at a time goes on in a folder.
package enum Exchange {
  static let folderName = ".lyco-exchange"
  static let journalName = "journal"
  static let pointerName = "elsewhere"

  /// `.lyco-exchange` of a folder, made and locked.
  ///
  /// - Note: where the file system has no locks, it is as if it were free.
  final class Lock {
    let folder: FilePath
    private let file: FileDescriptor

    /// - Returns: nil if it is held elsewhere and `waits` is false
    init?(_ parent: FilePath, makes: Bool, waits: Bool) throws(Errno) {
      folder = parent.appending(Exchange.folderName)
      while true {
        if makes {
          do { try Posix.makeFolder(folder) } catch .fileExists {}
        }
        let file: FileDescriptor
        do {
          file = try Posix.openFile(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        } catch .noSuchFileOrDirectory where makes {
          continue  // another one has just finished
        }
        if Posix.lock(file, waits: waits) == false {
          Posix.closeFile(file)
          return nil
        }
        // Who held it may have removed the folder meanwhile.
        if let named = try? Posix.linkStatus(folder), let open = try? Posix.status(file),
          named.st_ino == open.st_ino, named.st_dev == open.st_dev
        {
          self.file = file
          return
        }
        Posix.closeFile(file)
        guard makes else { throw .noSuchFileOrDirectory }
      }
    }

    deinit { Posix.closeFile(file) }

    func journal() -> FilePath? { Exchange.journal(in: folder) }

    /// Removes the folder with what else is in it.
    func clear() {
      for name in [Exchange.pointerName, Exchange.journalName + ".new"] {
        try? Posix.remove(folder.appending(name))
      }
      try? Posix.removeFolder(folder)
    }
  }

  /// Where the journal is, be it in a folder `.lyco-exchange` or where the pointer in it leads. Without one
  /// the exchange has not begun, or has ended.
  static func journal(in folder: FilePath) -> FilePath? {
    let own = folder.appending(journalName)
    if (try? Posix.linkStatus(own)) != nil { return own }
    guard let bytes = try? Posix.contents(folder.appending(pointerName)) else { return nil }
    return bytes.split(separator: UInt8(ascii: "\n")).lazy
      .map { folder.pushing(FilePath(bytes: $0)) }
      .first { (try? Posix.linkStatus($0)) != nil }
  }

  // MARK: Reading

  /// `check(_:isFolder:)` for a path that may be either.
  /// - Throws: `unfinished` if an exchange has begun that it has a part in, and not ended
  package static func check(_ path: FilePath) throws(SafetensorsError) {
    try check(path, isFolder: (try? Posix.status(path)).map(FileKind.init) == .folder)
  }

  /// - Parameter path: what is to be read, a file or a folder
  /// - Throws: `unfinished` if an exchange has begun that it has a part in, and not ended
  static func check(_ path: FilePath, isFolder: Bool) throws(SafetensorsError) {
    let file = isFolder ? path : (try? PendingFile.resolve(path)) ?? path
    let parent = isFolder ? path : file.folder
    guard (try? Posix.linkStatus(parent.appending(folderName))) != nil else { return }
    guard let journal = journal(in: parent.appending(folderName)), isFolder || names(file, journal)
    else { return }
    // Who holds the lock is at work.
    let lock = try? Lock(parent, makes: false, waits: false)
    // It may have ended while this looked.
    guard (try? Posix.linkStatus(journal)) != nil else { return }
    throw .unfinished(path, isRunning: lock == nil)
  }

  /// Whether a journal speaks of a file; also where it cannot be read.
  private static func names(_ file: FilePath, _ path: FilePath) -> Bool {
    guard let journal = (try? Posix.contents(path)).flatMap(ExchangeJournal.init) else {
      return true
    }
    let targets = journal.places.map(\.target) + journal.removed
    return targets.contains { $0.lastComponent == file.lastComponent }
  }

  // MARK: Finishing

  /// What was done by `finish`.
  package struct Finished: Sendable {
    /// Files that are in place now.
    package let places: [FilePath]
  }

  /// Finishes the exchange that was interrupted in a folder, or in that of a file, if there is one.
  /// - Parameter foreign: whether also one that was begun elsewhere, or by another user
  /// - Throws: `cannotFinish`, `foreignExchange`, `unfinished` if it is going on, `io`
  @discardableResult
  package static func finish(
    at path: FilePath, foreign: Bool = false
  ) throws(SafetensorsError) -> Finished? {
    let status = try? Posix.status(path)
    if status.map(FileKind.init) == .folder { return try finish(in: path, foreign: foreign) }
    return try finish(in: ((try? PendingFile.resolve(path)) ?? path).folder, foreign: foreign)
  }
}
