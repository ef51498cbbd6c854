import SystemPackage

/// Reading of whole small files.
enum FileBytes {
  /// Most bytes of an image file.
  private static let largest = 1 << 30

  /// The first bytes of a file, at most `limit`.
  /// - Throws: `ImageError.io`
  static func read(_ path: FilePath, limit: Int = largest) throws(ImageError) -> [UInt8] {
    do {
      let file = try FileDescriptor.open(path, .readOnly)
      return try file.closeAfter {
        let size = Int(try file.seek(offset: 0, from: .end))
        try file.seek(offset: 0, from: .start)
        let count = min(size, limit)
        return try unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
          while filled < count {
            let rest = unsafe UnsafeMutableRawBufferPointer(
              rebasing: UnsafeMutableRawBufferPointer(buffer)[filled...])
            let read = try unsafe file.read(into: rest)
            guard read > 0 else { break }
            filled += read
          }
        }
      }
    } catch {
      throw .io(path.string, error as? Errno ?? .ioError)
    }
  }
}
