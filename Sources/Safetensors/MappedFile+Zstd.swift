import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension MappedFile {
  /// Unpacks a compressed safetensors file into a temporary file without a name and maps that.
  ///
  /// What is written is bounded by what the header says, so a small file cannot fill the disk
  /// beyond its own claim, and that claim is checked against the free space first.
  /// - Parameter decoder: just behind the header
  static func unpacking(
    _ decoder: consuming ZstdDecoder, behind header: [UInt8], to length: Int, of path: FilePath
  ) throws(SafetensorsError) -> MappedFile {
    let folder = temporaryFolder
    let file = try temporaryFile(of: length, in: folder)
    defer { Posix.closeFile(file) }
    do {
      try unsafe Posix.writeAll(header.span.bytes, to: file)
      try copy(&decoder, from: header.count, to: length, into: file, of: path)
    } catch let error as SafetensorsError {
      throw error
    } catch {
      throw .io(folder, .write, error as? Errno ?? .ioError)
    }
    return try MappedFile(file, path)
  }

  /// A file without a name in a folder that has room for it.
  static func temporaryFile(
    of length: Int, in folder: FilePath
  ) throws(SafetensorsError) -> FileDescriptor {
    let available: Int
    do throws(Errno) {
      available = try Posix.freeSpace(folder)
      if length <= available { return try Posix.temporaryFile(in: folder) }
    } catch {
      throw .io(folder, .create, error)
    }
    throw .noSpace(folder, needed: length, available: available)
  }

  private static func copy(
    _ decoder: inout ZstdDecoder, from start: Int, to length: Int, into file: FileDescriptor,
    of path: FilePath
  ) throws {
    var written = start
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      var span = buffer.mutableSpan
      var target = unsafe span.mutableBytes
      let count = try decoder.read(into: &target)
      guard count > 0 else { break }
      written += count
      guard written <= length else {
        throw SafetensorsError.trailingBytes(path, expected: length, found: written)
      }
      try unsafe Posix.writeAll(buffer.span.bytes.extracting(first: count), to: file)
    }
    guard written == length else {
      throw SafetensorsError.truncatedData(path, expected: length, found: written)
    }
  }

  static var temporaryFolder: FilePath {
    guard let folder = unsafe getenv("TMPDIR"), unsafe folder.pointee != 0 else { return "/tmp" }
    return unsafe FilePath(platformString: folder)
  }
}
