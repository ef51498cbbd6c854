import Foundation
import SystemPackage
import TestSupport
import Testing

/// A run of a built tool by so many ranks, which mpirun starts on this machine; of one rank the tool alone.
final class RankedRun {
  private let process = Process()
  private let written: FilePath

  /// Starts it.
  convenience init(_ tool: String, _ arguments: [String], ranks: Int) throws {
    try self.init(tool, ranks == 1 ? [] : ["-n", "\(ranks)"], arguments)
  }

  /// Starts it with other arguments for each rank.
  convenience init(_ tool: String, ofEach arguments: [[String]]) throws {
    let path = ToolRun.executable(tool).path
    let others = arguments.dropFirst().flatMap { [":", "-n", "1", path] + $0 }
    try self.init(tool, ["-n", "1"], arguments[0] + others)
  }

  /// - Parameter launch: options of mpirun; none for the tool alone.
  private init(_ tool: String, _ launch: [String], _ arguments: [String]) throws {
    written = TemporaryFolder.ofProcess()
    let path = ToolRun.executable(tool).path
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments =
      launch.isEmpty
      ? [path] + arguments
      : ["mpirun", "--oversubscribe", "--bind-to", "none"] + launch + [path] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging([
      // Tests may run as root, which mpirun wants to be asked for.
      "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    ]) { $1 }
    process.standardInput = FileHandle.nullDevice
    let handles = ["output", "errors"].map { name in
      let path = written.appending(name).string
      _ = FileManager.default.createFile(atPath: path, contents: nil)
      return FileHandle(forWritingAtPath: path)
    }
    process.standardOutput = handles[0]
    process.standardError = handles[1]
    // Threads of tests let no signal through, and mpirun would take that over and never hear of Ctrl-C.
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_UNBLOCK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try process.runHearingInterrupts()
  }

  deinit { removeTree(written) }

  /// Waits for the end, though not for ever: mpirun of Open MPI 4.1.4 was seen to stand still after Ctrl-C, its ranks
  /// gone. What they did counts, and it is killed.
  /// - Returns: the status.
  @discardableResult
  func end() -> Int32 {
    let started = ContinuousClock.now
    while process.isRunning {
      usleep(10_000)
      let now = ContinuousClock.now
      if ranks.contains(where: Self.isAlive) { lastSeen = now }
      if let lastSeen, now - lastSeen > .seconds(30) {
        print("mpirun stood still without its ranks and was killed")
      } else if now - started > .seconds(600) {
        Issue.record("ranks did not end: \(allErrors)")
        for rank in ranks { kill(rank, SIGKILL) }
      } else {
        continue
      }
      kill(identifier, SIGKILL)
      break
    }
    process.waitUntilExit()
    return process.terminationStatus
  }

  /// When `end()` has last seen a rank; nil of the tool alone, and where it saw none.
  private(set) var lastSeen: ContinuousClock.Instant?

  /// Of mpirun.
  var identifier: pid_t { process.processIdentifier }
  var isRunning: Bool { process.isRunning }

  /// What the tool says itself, without lines of mpirun.
  var errors: [String] {
    text("errors").split(separator: "\n").map(String.init).filter {
      $0.hasPrefix("Error: ") || $0.contains("--resume") || $0.hasPrefix("interrupted")
    }
  }

  /// All that was written on standard error.
  var allErrors: String { text("errors") }

  /// Standard output.
  var output: String { text("output") }

  /// Processes that mpirun started, in no order.
  var ranks: [pid_t] {
    // Whichever of its threads has started them.
    let threads = "/proc/\(identifier)/task"
    let names = (try? FileManager.default.contentsOfDirectory(atPath: threads)) ?? []
    return names.flatMap { name in
      let path = "\(threads)/\(name)/children"
      let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
      return text.split(separator: " ").compactMap { pid_t($0) }
    }
  }

  /// Not where it has ended and only waits to be asked how.
  private static func isAlive(_ rank: pid_t) -> Bool {
    guard let facts = try? String(contentsOfFile: "/proc/\(rank)/stat", encoding: .utf8) else {
      return false
    }
    return !facts.contains(") Z ")
  }

  /// Waits until something holds, as long as ranks run.
  func wait(until condition: () -> Bool) {
    while isRunning, !condition() { usleep(10_000) }
  }

  private func text(_ name: String) -> String {
    (try? String(contentsOfFile: written.appending(name).string, encoding: .utf8)) ?? ""
  }
}
