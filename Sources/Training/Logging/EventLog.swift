import FoundationEssentials
import Safetensors
package import SystemPackage

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A log that TensorBoard shows.
package final class EventLog {
  package let path: FilePath
  private let file: FileDescriptor

  /// Begins a file `events.out.tfevents.…` in a folder, which is made if it is missing.
  /// - Parameter folder: see `runFolder`
  /// - Throws: `LogError`
  package init(in folder: FilePath, at time: Double = EventLog.now) throws(LogError) {
    let seconds = String(Int(time))
    let name = "events.out.tfevents.\(seconds).\(Self.host).\(getpid()).0"
    path = folder.appending(name)
    let folders = MadeFolders()
    defer { withExtendedLifetime(folders) {} }
    do {
      // A folder that cannot be made is told where the file is opened.
      try? folders.make(folder)
      file = try FileDescriptor.open(
        path, .writeOnly, options: [.create, .append], permissions: FilePermissions(rawValue: 0o666)
      )
    } catch {
      throw .io(path, error as? Errno ?? Errno(rawValue: errno))
    }
    try write([.version(at: time)])
  }

  deinit { try? file.close() }

  /// Writes the numbers of a step, so that they are seen at once.
  /// - Throws: `LogError`
  package func append(
    _ scalars: [(tag: String, value: Double)], step: Int, at time: Double = EventLog.now
  ) throws(LogError) {
    try write(scalars.map { .scalar($0.tag, Float($0.value), step: step, at: time) })
  }

  /// Writes a picture of a step.
  /// - Throws: `LogError`
  package func append(
    _ tag: String, _ picture: EventPicture, step: Int, at time: Double = EventLog.now
  ) throws(LogError) {
    try write([.picture(tag, picture, step: step, at: time)])
  }

  private func write(_ records: [EventRecord]) throws(LogError) {
    do {
      _ = try file.writeAll(records.flatMap(\.bytes))
    } catch {
      throw .io(path, error as? Errno ?? .ioError)
    }
  }

  /// Where trainers of the field put the files of a run: `folder/prefix20250131235959/tracker`.
  package static func runFolder(
    _ folder: FilePath, prefix: String, tracker: String, at time: Double = EventLog.now
  ) -> FilePath {
    folder.appending(prefix + timestamp(time)).appending(tracker)
  }

  /// Local time as `yyyymmddHHMMSS`.
  static func timestamp(_ time: Double) -> String {
    var seconds = time_t(time)
    var parts = unsafe tm()
    unsafe localtime_r(&seconds, &parts)
    let fields = unsafe [
      (parts.tm_year + 1900, 4), (parts.tm_mon + 1, 2), (parts.tm_mday, 2), (parts.tm_hour, 2),
      (parts.tm_min, 2), (parts.tm_sec, 2),
    ]
    return fields.map { value, width in
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }.joined()
  }

  private static var host: String {
    let name = ProcessInfo.processInfo.hostName
    return name.isEmpty ? "localhost" : name.replacing("/", with: "-")
  }

  /// Seconds since 1970.
  package static var now: Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
