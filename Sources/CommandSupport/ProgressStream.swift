import FoundationEssentials
import Synchronization
package import SystemPackage

/// Where a program that runs a tool hears how far it has come: a line of JSON for each record, to the file descriptor
/// whose number `LYCO_PROGRESS_FD` holds.
package final class ProgressStream: Sendable {
  private struct Last {
    let activity: String
    let time: ContinuousClock.Instant
  }

  private let file: FileDescriptor
  private let last = Mutex<Last?>(nil)

  package init(_ file: FileDescriptor) { self.file = file }

  /// Nil where nobody asks for it.
  package static func ofEnvironment() -> ProgressStream? {
    guard let text = ProcessInfo.processInfo.environment["LYCO_PROGRESS_FD"],
      let number = Int32(text), number > 2
    else { return nil }
    return ProgressStream(FileDescriptor(rawValue: number))
  }

  /// Writes a record if it is the first of its activity or all is done, and ten times a second otherwise. That nobody
  /// reads it is no failure of the work.
  package func write(_ record: ProgressRecord) {
    let now = ContinuousClock.now
    let isDue = last.withLock { last in
      if let last, last.activity == record.activity, record.share < 1,
        now - last.time < .milliseconds(100)
      {
        return false
      }
      last = Last(activity: record.activity, time: now)
      return true
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    guard isDue, let line = try? encoder.encode(record) else { return }
    _ = try? file.writeAll(line + [UInt8(ascii: "\n")])
  }
}
