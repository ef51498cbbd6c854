package import SystemPackage

/// Where something will be written, made sure of before the work: the name suits, the folder is there or can be
/// made, and the system lets files be created in it.
///
/// What killed processes left there is swept away (see `Debris`). Folders that were made go again with the
/// value if nothing came into them, so keep it until all is written.
package final class OutputPlace: Sendable {
  package enum Kind: Sendable {
    /// A checkpoint or adapter.
    case tensors
    /// A report or a log, which may go to a device, a pipe or a terminal as well.
    case text
    /// A folder of files.
    case folder
  }

  package let path: FilePath
  private let folders = MadeFolders()

  /// The first of some paths that leads to the same place as one before it.
  package static func repeated(in paths: [FilePath]) -> FilePath? {
    var places: Set<FilePath> = []
    return paths.first { path in
      !places.insert(((try? PendingFile.resolve(path)) ?? path).absolute).inserted
    }
  }

  /// - Throws: `torchName`, `notAFile`, `notAFolder`, `io`; `cannotFinish` where an interrupted exchange
  ///   stands in the way
  package init(_ path: FilePath, _ kind: Kind) throws(SafetensorsError) {
    self.path = path
    let folder: FilePath
    switch kind {
    case .tensors:
      try path.checkIsSafetensors()
      folder = try PendingFile.target(of: path).folder
    case .text:
      if let stream = try OutputStream(path) {
        try stream.check()
        return
      }
      folder = try PendingFile.target(of: path).folder
    case .folder: folder = path
    }
    do throws(SafetensorsError) {
      try folders.make(folder)
      try Debris.sweep(folder)
      // Only an attempt tells: permissions, read-only file systems and quotas have many forms.
      _ = try PendingFile(folder.appending(Posix.temporaryName()))
    } catch .io(_, let operation, let error) {
      throw .io(path, operation, error)
    } catch {
      throw error
    }
  }
}
