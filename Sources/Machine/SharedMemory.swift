import CPlatform

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Memory that the ranks of one machine have in common: all may write to it, and the first of them says what is in it.
///
/// It has no name, and goes with the last process that has it.
@safe package final class SharedMemory: @unchecked Sendable {
  package let start: UnsafeMutableRawPointer
  package let size: Int
  /// Whether this rank fills it.
  package let isWriter: Bool

  private init(_ start: UnsafeMutableRawPointer, _ size: Int, isWriter: Bool) {
    unsafe self.start = start
    (self.size, self.isWriter) = (size, isWriter)
  }

  deinit { unsafe munmap(start, size) }

  /// Room for so many bytes on every machine that has several ranks, of which pages are taken when they are written.
  /// - Parameter size: the same on all ranks.
  /// - Returns: nil for a rank that is alone on its machine, or that cannot reach the memory of the first.
  /// - Throws: as `Communicator.gather`
  package static func joined(
    _ size: Int, over ranks: any Communicator
  ) throws(RankFailure) -> SharedMemory? {
    let writer = ranks.hosts.firstIndex(of: ranks.host) ?? 0
    let isWriter = writer == ranks.rank
    let made = isWriter && ranks.countOnHost > 1 ? lyco_make_memory(Int64(size)) : -1
    var message = Message()
    message.append(Int(getpid()))
    message.append(Int(made))
    for part in identity(of: made) { message.append(part) }
    var reader = MessageReader(try ranks.gather(message.bytes)[writer])
    let (process, number) = (reader.integer(), reader.integer())
    let expected = [reader.integer(), reader.integer(), reader.integer()]
    var file = made
    if !isWriter, number >= 0 { file = unsafe open("/proc/\(process)/fd/\(number)", O_RDWR) }
    // Containers may have the same name of a machine and other processes.
    let isFound = file >= 0 && identity(of: file) == expected
    let start: UnsafeMutableRawPointer? =
      unsafe isFound
      ? mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED
    // The others have it open by now, or never will.
    try ranks.agree()
    if file >= 0 { close(file) }
    guard let start = unsafe start, unsafe start != MAP_FAILED else { return nil }
    return unsafe SharedMemory(start, size, isWriter: isWriter)
  }

  /// Device, number and size of a file.
  private static func identity(of file: CInt) -> [Int] {
    var status = stat()
    guard file >= 0, unsafe fstat(file, &status) == 0 else { return [0, 0, 0] }
    return [
      Int(truncatingIfNeeded: status.st_dev), Int(truncatingIfNeeded: status.st_ino),
      Int(status.st_size),
    ]
  }
}
