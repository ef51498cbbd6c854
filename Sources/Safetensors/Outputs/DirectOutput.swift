import CPlatform
import Dispatch
import Synchronization
import SystemPackage

/// Writes a large file past the page cache, block by block, while the next ones are filled.
///
/// What goes through the cache is copied into pages that the system has to find first, and written back by threads of
/// the system: 1.0 to 4.3 s of the processors' time for 2.1 GB (Linux 6.18, ext4), and 0.2 s past the cache. Where the
/// file system does not write directly, blocks go through the cache in the same way.
struct DirectOutput: ~Copyable {
  private let file: PendingFile
  private let blocks = Blocks()
  /// The disk works on two blocks at a time; a serial queue has a thread of its own.
  private let lanes = [
    DispatchQueue(label: "lyco.direct-output.0", qos: .userInitiated),
    DispatchQueue(label: "lyco.direct-output.1", qos: .userInitiated),
  ]
  /// The block that is filled, its number, and how much of it is full.
  private var block: Block?
  private var number = 0
  private var filled = 0

  /// A smaller file is likely to be read again soon, and costs little. It stays in the cache.
  static let leastLength = 32 << 20

  private init(_ file: PendingFile) { self.file = file }

  /// nil where the file is small, or the file system only knows the cache.
  /// - Parameter length: what the file will have.
  static func open(_ file: PendingFile, length: Int) -> DirectOutput? {
    guard length >= leastLength, lyco_write_directly(file.file.rawValue, 1) == 0 else {
      return nil
    }
    // Room for all of it: blocks need not wait for one another then. Without it they do.
    _ = lyco_reserve(file.file.rawValue, Int64(length))
    return DirectOutput(file)
  }

  deinit { blocks.finish() }

  /// - Throws: what a write has met since.
  mutating func append(_ bytes: borrowing RawSpan) throws(Errno) {
    var rest = bytes.extracting(...)
    while !rest.isEmpty {
      let block: Block
      if let begun = self.block { block = begun } else { block = try blocks.take() }
      let count = min(rest.byteCount, Block.size - filled)
      block.fill(from: filled, with: rest.extracting(first: count))
      rest = rest.extracting(droppingFirst: count)
      filled += count
      self.block = block
      if filled == Block.size { send(block) }
    }
  }

  private mutating func send(_ block: Block) {
    let (file, blocks, offset) = (file, blocks, number * Block.size)
    lanes[number % lanes.count].async(group: blocks.writes) {
      do throws(Errno) {
        try block.write(Block.size, at: offset, to: file.file)
      } catch {
        blocks.fail(error)
      }
      blocks.give(block)
    }
    self.block = nil
    number += 1
    filled = 0
  }

  /// Waits for all blocks and writes the rest, which need not fill one.
  /// - Throws: what a write has met.
  consuming func finish() throws(Errno) {
    blocks.finish()
    if let error = blocks.error { throw error }
    _ = lyco_write_directly(file.file.rawValue, 0)
    try block?.write(filled, at: number * Block.size, to: file.file)
  }
}

/// Memory between the one who fills it and the disk.
@safe private final class Block: @unchecked Sendable {
  /// Of a huge page.
  static let size = 2 << 20

  private let start = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: size)

  deinit { unsafe start.deallocate() }

  func fill(from offset: Int, with bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes {
      guard let source = $0.baseAddress else { return }
      unsafe (start + offset).copyMemory(from: source, byteCount: $0.count)
    }
  }

  func write(_ count: Int, at offset: Int, to file: FileDescriptor) throws(Errno) {
    let bytes = unsafe RawSpan(_unsafeStart: start, byteCount: count)
    do throws(Errno) {
      try Posix.patch(bytes, at: offset, to: file)
    } catch .invalidArgument {
      // It is only now that the file system refuses.
      _ = lyco_write_directly(file.rawValue, 0)
      try Posix.patch(bytes, at: offset, to: file)
    }
  }
}

/// The blocks of a file, most of them on their way to the disk.
private final class Blocks: Sendable {
  private struct State {
    var free: [Block]
    var error: Errno?
  }

  let writes = DispatchGroup()
  private let state: Mutex<State>
  private let available = DispatchSemaphore(value: 0)

  /// One is filled while two are written and one waits for the disk.
  init() {
    let blocks = (0..<4).map { _ in Block() }
    state = Mutex(State(free: blocks))
    for _ in blocks { available.signal() }
  }

  /// Waits for a free one.
  /// - Throws: what the last writes have met.
  func take() throws(Errno) -> Block {
    available.wait()
    let (block, error) = state.withLock { ($0.free.removeLast(), $0.error) }
    guard let error else { return block }
    give(block)
    throw error
  }

  func give(_ block: Block) {
    state.withLock { $0.free.append(block) }
    available.signal()
  }

  func fail(_ error: Errno) { state.withLock { $0.error = $0.error ?? error } }

  func finish() { writes.wait() }

  var error: Errno? { state.withLock { $0.error } }
}
