import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension ExchangeJournal {
  /// Checks that it names nothing but what an exchange of its folders does: a folder that was downloaded may
  /// hold anything under the name of a journal.
  /// - Parameter path: of the journal
  /// - Throws: `cannotFinish` where hidden names are not those of a writer, or a file lies where no exchange
  ///   leads here from
  func check(at path: FilePath, in parent: FilePath) throws(SafetensorsError) {
    let main = parent.canonical
    for place in places {
      let name = place.staged.lastComponent?.string ?? ""
      guard name.hasPrefix(Posix.temporaryPrefix), name.hasSuffix(Posix.temporarySuffix),
        parent.pushing(place.staged).absolute.folder == parent.pushing(place.target).absolute.folder
      else { throw .cannotFinish(parent, file: path) }
    }
    for target in places.map(\.target) + removed {
      let folder = parent.pushing(target).absolute.folder
      guard
        folder == main
          || Exchange.journal(in: folder.appending(Exchange.folderName))?.absolute == path.absolute
      else { throw .cannotFinish(parent, file: path) }
    }
  }

  /// Checks that this user began it, in this very folder: else nobody but the user can know whether it is to
  /// be finished.
  /// - Throws: `foreignExchange`
  func checkOrigin(_ path: FilePath, in parent: FilePath) throws(SafetensorsError) {
    let owner = (try? Posix.linkStatus(path))?.st_uid
    guard owner == geteuid(), origin != nil, origin == FileIdentity(path.folder) else {
      throw .foreignExchange(
        parent, replaced: places.map { parent.pushing($0.target) },
        removed: removed.map { parent.pushing($0) })
    }
  }
}

extension FilePath {
  /// The name from the root of a folder, links resolved.
  fileprivate var canonical: FilePath { appending("-").absolute.folder }
}
