import Machine
import Safetensors
package import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A log as a table of comma-separated values: a line for every step, a column for every number.
package final class TableLog {
  package let path: FilePath
  /// After `step` and `epoch`.
  package let columns: [String]
  private let file: FileDescriptor

  /// Begins a table, in the place of any other file. A run that goes on from a state goes on with its table behind
  /// the last step that both have, so that no step is in it twice. To a device or a pipe it is written as it comes.
  /// - Parameter step: the last one that was taken before; nil for a run that begins
  /// - Throws: `LogError`
  package init(_ path: FilePath, columns: [String], after step: Int? = nil) throws(LogError) {
    self.path = path
    self.columns = columns
    let header = Self.line(["step", "epoch"] + columns)
    // Reading from what is no file could wait for ever.
    let isFile = path.kind ?? .regular == .regular && !path.isWrittenThrough
    do {
      // A pipe without a reader is an error, not a wait without end.
      file = try FileDescriptor.open(
        path, isFile ? .readWrite : .writeOnly, options: [.nonBlocking, .append, .create],
        permissions: FilePermissions(rawValue: 0o666))
      let flags = fcntl(file.rawValue, F_GETFL)
      _ = fcntl(file.rawValue, F_SETFL, flags & ~O_NONBLOCK)
      var kept: Int64 = 0
      if isFile {
        if let step { kept = try Self.length(of: file, header, upTo: step) }
        guard ftruncate(file.rawValue, off_t(kept)) == 0 else { throw Errno(rawValue: errno) }
      }
      if kept == 0 { _ = try file.writeAll(header.utf8) }
    } catch {
      throw .io(path, error as? Errno ?? .ioError)
    }
  }

  /// How much of a table is about steps up to one, whole lines; 0 for other files.
  /// - Complexity: O(size), in memory a line of it and what is read at once
  private static func length(
    of file: FileDescriptor, _ header: String, upTo step: Int
  ) throws -> Int64 {
    let header = Array(header.utf8)
    var (read, kept) = (Int64(0), Int64(0))
    var line: [UInt8] = []
    while true {
      let bytes = try unsafe [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
        count = try unsafe file.read(
          fromAbsoluteOffset: read, into: UnsafeMutableRawBufferPointer(buffer))
      }
      guard !bytes.isEmpty else { return kept }
      read += Int64(bytes.count)
      for byte in bytes {
        line.append(byte)
        if kept == 0 {
          // A name among the columns may hold a line feed.
          guard line.count <= header.count, byte == header[line.count - 1] else { return 0 }
          guard line.count == header.count else { continue }
        } else {
          guard byte == UInt8(ascii: "\n") else {
            guard line.count < 1 << 20 else { return kept }
            continue
          }
          let number = line.prefix { $0 != UInt8(ascii: ",") }
          guard let number = Int(String(decoding: number, as: UTF8.self)), number <= step else {
            return kept
          }
        }
        kept += Int64(line.count)
        line.removeAll(keepingCapacity: true)
      }
    }
  }

  deinit { try? file.close() }

  /// Writes a line; columns without a number stay empty.
  /// - Precondition: every tag is a column
  /// - Throws: `LogError`
  package func append(
    _ scalars: [(tag: String, value: Double)], step: Int, epoch: Int
  ) throws(LogError) {
    precondition(scalars.allSatisfy { columns.contains($0.tag) }, "numbers of other columns")
    let values = Dictionary(scalars.map { ($0.tag, "\($0.value)") }, uniquingKeysWith: { $1 })
    do {
      _ = try file.writeAll(
        Self.line(["\(step)", "\(epoch)"] + columns.map { values[$0] ?? "" }).utf8)
    } catch {
      throw .io(path, error as? Errno ?? .ioError)
    }
  }

  private static func line(_ cells: [String]) -> String {
    cells.map { cell in
      cell.contains { "\",\n".contains($0) } ? "\"\(cell.replacing("\"", with: "\"\""))\"" : cell
    }.joined(separator: ",") + "\n"
  }
}
