package import ArgumentParser

/// A tool of the suite: a command whose work can be interrupted.
///
/// Exit statuses: 0 done; 1 the work failed; 64 wrong usage; 130 interrupted; `lyco-inspect
/// --check` adds 2 for faults found.
package protocol Tool: AsyncParsableCommand {
  static var normalization: ArgumentNormalization { get }

  /// The arguments that normalized ones stand for: those of a file that they name.
  static func expanded(_ arguments: [String]) throws -> [String]

  /// Does the work. Cancelled on Ctrl-C, whereupon it leaves nothing behind.
  func work() async throws
}

extension Tool {
  /// Status of a process that Ctrl-C ended, as shells expect it.
  private static var interrupted: ExitCode { ExitCode(130) }

  package static func expanded(_ arguments: [String]) throws -> [String] { arguments }

  /// Parses the command line and runs the command. To be called from `main`.
  package static func start() async {
    let arguments = normalization.normalized(
      Array(CommandLine.arguments.dropFirst()), note: StandardError.write)
    do {
      let command = try parse(try expanded(arguments))
      let signals = InterruptSignals()
      defer { withExtendedLifetime(signals) {} }
      let task = Task { try await command.work() }
      signals.onInterrupt { task.cancel() }
      try await task.value
    } catch is CancellationError {
      StandardError.write("interrupted; nothing was written\n")
      exit(withError: interrupted)
    } catch let code as ExitCode {
      exit(withError: code)
    } catch {
      exit(withError: error)
    }
  }

  /// The parser's own entry; `start` is used instead.
  package func run() async throws { try await work() }
}
