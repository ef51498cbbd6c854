import Machine
package import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Files that belong together: all of them are written before the first takes its place.
///
/// One file is renamed. Several, or one that makes others superfluous, change places in an `Exchange`:
/// a process that is killed within leaves a set that readers refuse and that can be finished.
/// ```
/// var set = OutputSet()
/// try writer.seal(into: &set)
/// try set.add(Array(json.utf8), at: folder.appending("config.json"))
/// try set.commit()
/// ```
package struct OutputSet: ~Copyable, Sendable {
  private var files: [PendingFile] = []
  private var removed: [FilePath] = []
  private let folders = MadeFolders()

  package init() {}

  /// Makes a folder for files of the set; it goes again if none comes. What killed processes left in one that
  /// is there is swept away.
  /// - Throws: `notAFolder`, `io`; `cannotFinish` where an interrupted exchange stands in the way
  package func makeFolder(_ path: FilePath) throws(SafetensorsError) {
    try folders.make(path)
    try Debris.sweep(path)
  }

  package mutating func add(_ file: PendingFile) { files.append(file) }

  /// A file of these bytes.
  /// - Throws: `notAFile`, `io`
  package mutating func add(_ bytes: [UInt8], at path: FilePath) throws(SafetensorsError) {
    let file = try PendingFile(path)
    try unsafe file.write(bytes.span.bytes)
    add(file)
  }

  /// Lets a file go when the set takes its place; one that is written, or not there, does not count.
  package mutating func remove(_ path: FilePath) { removed.append(path) }

  /// Syncs all files, then puts them in their places.
  /// - Throws: `io`; `torn` where that fails when the first one is in its place
  package consuming func commit() throws(SafetensorsError) {
    let targets = Set(files.map(\.target))
    let removed = self.removed.filter {
      !targets.contains($0) && (try? Posix.linkStatus($0)) != nil
    }
    for file in files { try file.sync() }
    guard files.count > 1 || !removed.isEmpty else {
      guard let file = files.first else { return }
      try file.commit()
      do throws(Errno) { try Posix.syncFolder(file.target.folder) } catch {
        throw .io(file.target.folder, .sync, error)
      }
      return
    }
    try exchange(removed)
  }

  private borrowing func exchange(_ removed: [FilePath]) throws(SafetensorsError) {
    let targets = files.map(\.target)
    let main = Self.commonFolder(of: targets + removed)
    let others = Set((targets + removed).map(\.absolute.folder)).subtracting([main])
      .sorted { $0.string < $1.string }
    let lock = try Self.lock(main)
    var otherLocks: [Exchange.Lock] = []
    defer {
      if lock.journal() == nil {
        for lock in otherLocks { lock.clear() }
        lock.clear()
      }
    }
    for folder in others { otherLocks.append(try Self.lock(folder)) }
    var journal = ExchangeJournal(in: lock.folder)
    journal.removed = removed.map { $0.relative(to: main) }
    for file in files {
      do throws(Errno) {
        let status = try Posix.status(file.file)
        let start = try Posix.read(
          file.file, limit: min(ExchangeJournal.digestedLength, Int(status.st_size)))
        journal.places.append(
          .init(
            staged: try file.stage().relative(to: main), target: file.target.relative(to: main),
            byteCount: Int(status.st_size), digest: ContentDigest.text(of: start)))
      } catch {
        throw .io(file.target, .link, error)
      }
    }
    var renamed = 0
    do throws(SafetensorsError) {
      try begin(journal, lock, otherLocks, main)
      try Exchange.carryOut(journal, in: main, renamed: &renamed)
      try Exchange.end(journal, lock, of: main)
    } catch {
      if renamed == 0, Self.withdraw(journal, lock, of: main) { throw error }
      let (reason, first) = (error.description, files.first?.target ?? main)
      throw renamed < journal.places.count
        ? .torn(reason: reason, at: first) : .notEnded(reason: reason, at: first)
    }
  }

  /// Takes back an exchange of which nothing is done yet.
  /// - Returns: whether the set is as it was
  private static func withdraw(
    _ journal: ExchangeJournal, _ lock: Exchange.Lock, of main: FilePath
  ) -> Bool {
    do throws(Errno) {
      try Posix.remove(lock.folder.appending(Exchange.journalName))
      // Should the machine stop now, the journal must not come back without the files that it names.
      try Posix.syncFolder(lock.folder)
    } catch .noSuchFileOrDirectory {} catch { return lock.journal() == nil }
    for place in journal.places { try? Posix.remove(main.pushing(place.staged)) }
    return true
  }

  /// Makes the journal last, with the hidden files that it names.
  private borrowing func begin(
    _ journal: ExchangeJournal, _ lock: Exchange.Lock, _ others: [Exchange.Lock], _ main: FilePath
  ) throws(SafetensorsError) {
    let path = lock.folder.appending(Exchange.journalName)
    do throws(Errno) {
      for other in others {
        // By its name from the root, and up from here if it is above, so that a folder can be moved.
        var ways = [path.bytes]
        var below = other.folder
        if below.removePrefix(main) {
          let up = FilePath(below.components.map { _ in ".." }.joined(separator: "/"))
          ways.insert(
            up.appending(Exchange.folderName).appending(Exchange.journalName).bytes, at: 0)
        }
        try Self.write(
          Array(ways.joined(separator: [UInt8(ascii: "\n")])),
          to: other.folder.appending(Exchange.pointerName))
      }
      // The journal lies in one folder more, where every file lies deeper.
      let folders = journal.folders(in: main)
      for folder in folders + (folders.contains(main) ? [] : [main]) {
        try Posix.syncFolder(folder)
      }
      for other in others { try Posix.syncFolder(other.folder) }
      let new = lock.folder.appending(Exchange.journalName + ".new")
      try Self.write(journal.bytes, to: new)
      try Posix.move(new, to: path)
    } catch {
      throw .io(path, .write, error)
    }
    for file in files { file.handOver() }
    do throws(Errno) { try Posix.syncFolder(lock.folder) } catch { throw .io(path, .sync, error) }
  }

  private static func write(_ bytes: [UInt8], to path: FilePath) throws(Errno) {
    let file = try Posix.openFile(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o666)
    defer { Posix.closeFile(file) }
    try unsafe Posix.writeAll(bytes.span.bytes, to: file)
    try Posix.sync(file)
  }

  /// The folder's lock, once what an earlier process left is finished.
  private static func lock(_ folder: FilePath) throws(SafetensorsError) -> Exchange.Lock {
    while true {
      let lock: Exchange.Lock?
      do throws(Errno) { lock = try Exchange.Lock(folder, makes: true, waits: true) } catch {
        throw .io(folder.appending(Exchange.folderName), .create, error)
      }
      guard let lock else { continue }
      guard lock.journal() != nil else { return lock }
      // It may be part of one that another process is about to finish, and needs this lock for.
      if try Exchange.finish(lock, of: folder) == nil { usleep(10_000) }
    }
  }

  /// The folder, by its name from the root, that all paths lie in; that of the first if they have only
  /// the root in common.
  private static func commonFolder(of paths: [FilePath]) -> FilePath {
    let paths = paths.map(\.absolute)
    var folder = paths[0].folder
    for path in paths {
      while !path.starts(with: folder) { folder.removeLastComponent() }
    }
    return folder.components.isEmpty ? paths[0].folder : folder
  }
}

extension FilePath {
  /// Its name from the root, in a folder without links, so that one folder has one name.
  var absolute: FilePath {
    guard let name = lastComponent,
      let folder = unsafe folder.withPlatformString({ unsafe realpath($0, nil) })
    else { return self }
    defer { unsafe free(folder) }
    return unsafe FilePath(platformString: folder).appending(name)
  }

  /// What is behind a folder, if it lies in it; else the name from the root.
  fileprivate func relative(to folder: FilePath) -> FilePath {
    var path = absolute
    return path.removePrefix(folder) ? path : absolute
  }
}
