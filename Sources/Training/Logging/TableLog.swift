import FoundationEssentials
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

  /// Goes on with a table of the same columns, and replaces any other file. To a device or a pipe it is
  /// written as it comes.
  /// - Throws: `LogError`
  package init(_ path: FilePath, columns: [String]) throws(LogError) {
    self.path = path
    self.columns = columns
    let header = Self.line(["step", "epoch"] + columns)
    // Reading from what is no file could wait for ever.
    let isFile = path.kind == .regular
    let existing = isFile ? try? String(contentsOfFile: path.string, encoding: .utf8) : nil
    let goesOn = existing?.hasPrefix(header) == true
    do {
      // A pipe without a reader is an error, not a wait without end.
      var options: FileDescriptor.OpenOptions = [.nonBlocking]
      options.formUnion(goesOn ? [.append] : [.create, .truncate])
      file = try FileDescriptor.open(
        path, .writeOnly, options: options,
        permissions: FilePermissions(rawValue: 0o666))
      let flags = fcntl(file.rawValue, F_GETFL)
      _ = fcntl(file.rawValue, F_SETFL, flags & ~O_NONBLOCK)
      if !goesOn { _ = try file.writeAll(header.utf8) }
    } catch {
      throw .io(path, error as? Errno ?? .ioError)
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
