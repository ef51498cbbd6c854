import OrderedCollections
package import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Which file a path leads to, whatever the path: two names of one file have one identity.
package struct FileIdentity: Hashable, Sendable {
  private let device: UInt64
  private let number: UInt64

  /// nil where there is nothing, or nothing that can be looked at.
  package init?(_ path: FilePath) {
    guard let status = try? Posix.status(path) else { return nil }
    self.init(status)
  }

  /// Of an open file or folder.
  init?(_ file: FileDescriptor) {
    guard let status = try? Posix.status(file) else { return nil }
    self.init(status)
  }

  private init(_ status: stat) {
    device = UInt64(status.st_dev)
    number = UInt64(status.st_ino)
  }

  /// As `words` has it.
  init?(_ words: [Substring]) {
    guard words.count == 2, let device = UInt64(words[0]), let number = UInt64(words[1]) else {
      return nil
    }
    (self.device, self.number) = (device, number)
  }

  var words: String { "\(device) \(number)" }
}

extension TensorFile {
  /// The files on disk that it was read from.
  package var sources: Set<FilePath> { Set(tensors.values.map(\.file)).union([path]) }

  /// The first of some outputs that is, or takes the place of, a file it was read from.
  package func source(replacedBy outputs: [FilePath]) -> FilePath? {
    let own = Set(sources.compactMap(FileIdentity.init))
    return outputs.first { output in
      ([output] + output.forms).contains { FileIdentity($0).map(own.contains) ?? false }
    }
  }
}
