import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension Exchange {
  /// Finishes the exchange that was interrupted in a folder, if there is one.
  /// - Parameter foreign: whether also one that was begun elsewhere, or by another user
  /// - Returns: nil if there is none, or another process is at work
  @discardableResult
  static func finish(
    in parent: FilePath, foreign: Bool = false
  ) throws(SafetensorsError) -> Finished? {
    let folder = parent.appending(folderName)
    guard (try? Posix.linkStatus(folder)) != nil else { return nil }
    let lock: Lock?
    do throws(Errno) {
      lock = try Lock(parent, makes: false, waits: false)
    } catch .noSuchFileOrDirectory {
      return nil
    } catch {
      throw .io(folder, .open, error)
    }
    return try lock.flatMap { lock throws(SafetensorsError) in
      try finish(lock, of: parent, foreign: foreign)
    }
  }

  /// The same where the lock is held.
  @discardableResult
  static func finish(
    _ lock: Lock, of parent: FilePath, foreign: Bool = false
  ) throws(SafetensorsError) -> Finished? {
    guard let path = lock.journal() else {
      lock.clear()
      return nil
    }
    guard path.folder == lock.folder else {
      // It is another folder's; what is here goes with it. The way there leads through what is here, so it
      // must not be the name.
      let finished = try finish(in: path.folder.absolute.folder, foreign: foreign)
      if lock.journal() == nil { lock.clear() }
      return finished
    }
    let journal: ExchangeJournal?
    do throws(Errno) {
      journal = ExchangeJournal(try Posix.contents(path))
    } catch {
      throw .io(path, .read, error)
    }
    guard let journal else { throw .cannotFinish(parent, file: path) }
    try journal.check(at: path, in: parent)
    if !foreign { try journal.checkOrigin(path, in: parent) }
    var renamed = 0
    try carryOut(journal, in: parent, renamed: &renamed)
    try end(journal, lock, of: parent)
    return Finished(places: journal.places.map { parent.pushing($0.target) })
  }

  /// Renames and removes what is not yet. What it finds done it leaves.
  /// - Parameter renamed: how many files are in place
  static func carryOut(
    _ journal: ExchangeJournal, in parent: FilePath, renamed: inout Int
  ) throws(SafetensorsError) {
    for place in journal.places {
      let (staged, target) = (parent.pushing(place.staged), parent.pushing(place.target))
      do throws(Errno) {
        try Posix.move(staged, to: target)
      } catch .noSuchFileOrDirectory {
        // It has been renamed already, unless somebody else was here.
        guard matches(target, place) else { throw .cannotFinish(parent, file: target) }
      } catch {
        throw .io(target, .rename, error)
      }
      renamed += 1
    }
    for path in journal.removed {
      let path = parent.pushing(path)
      do throws(Errno) { try Posix.remove(path) } catch .noSuchFileOrDirectory {} catch {
        throw .io(path, .remove, error)
      }
    }
    for folder in journal.folders(in: parent) {
      do throws(Errno) { try Posix.syncFolder(folder) } catch {
        throw .io(folder, .sync, error)
      }
    }
  }

  /// Removes the journal, and then what is of no use without it.
  static func end(
    _ journal: ExchangeJournal, _ lock: Lock, of parent: FilePath
  ) throws(SafetensorsError) {
    let path = lock.folder.appending(journalName)
    do throws(Errno) { try Posix.remove(path) } catch { throw .io(path, .remove, error) }
    for folder in journal.folders(in: parent) where folder != parent {
      let pointers = folder.appending(folderName)
      try? Posix.remove(pointers.appending(pointerName))
      try? Posix.removeFolder(pointers)
    }
    lock.clear()
  }

  /// Whether a file is the one that was to take the place.
  private static func matches(_ target: FilePath, _ place: ExchangeJournal.Place) -> Bool {
    guard let status = try? Posix.status(target), Int(status.st_size) == place.byteCount,
      let start = try? Posix.contents(target, limit: ExchangeJournal.digestedLength)
    else { return false }
    return ContentDigest.text(of: start) == place.digest
  }
}

extension ExchangeJournal {
  /// Folders that a file takes its place in or goes from, each once.
  func folders(in parent: FilePath) -> [FilePath] {
    var folders: [FilePath] = []
    for path in places.map(\.target) + removed {
      let folder = parent.pushing(path).removingLastComponent()
      if !folders.contains(folder) { folders.append(folder) }
    }
    return folders
  }
}
