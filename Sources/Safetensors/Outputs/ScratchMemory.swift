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

/// Numbers in a file without a name, mapped, zeros at first: the system keeps them in memory as long as there is room, and
/// on the disk where there is none. Room on the disk is taken at once, so that no later write fails, where the file system
/// can do that. The file goes with the last of it.
@safe package final class ScratchMemory: @unchecked Sendable {
  package let start: UnsafeMutablePointer<Float>
  private let size: Int

  /// - Parameters:
  ///   - count: of numbers, positive.
  ///   - folder: on whose file system the file is.
  /// - Throws: `SafetensorsError.noSpace`, `.io`
  package init(count: Int, in folder: FilePath) throws(SafetensorsError) {
    precondition(count > 0, "\(count) numbers")
    size = count * MemoryLayout<Float>.stride
    let file = try MappedFile.temporaryFile(of: size, in: folder)
    defer { Posix.closeFile(file) }
    if lyco_reserve(file.rawValue, Int64(size)) != 0 {
      guard errno != ENOSPC, ftruncate(file.rawValue, off_t(size)) == 0 else {
        throw .io(folder, .write, Errno(rawValue: errno))
      }
    }
    let address = unsafe mmap(
      nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.rawValue, 0)
    guard let address = unsafe address, unsafe address != MAP_FAILED else {
      throw .io(folder, .map, Errno(rawValue: errno))
    }
    unsafe start = address.bindMemory(to: Float.self, capacity: count)
  }

  deinit { unsafe munmap(start, size) }
}
