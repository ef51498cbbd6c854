package import ArgumentParser
import Checkpoints
import Cluster
import Machine
import Operations
import Safetensors

/// A tool of the suite: a command whose work can be interrupted.
///
/// Exit statuses: 0 done; 1 the work failed; 64 wrong usage; 130 interrupted; `lyco-inspect` adds 2 for
/// faults and differences found.
package protocol Tool: AsyncParsableCommand {
  static var normalization: ArgumentNormalization { get }

  /// Every option, and what reads it.
  static var options: OptionTable { get }

  /// The arguments that normalized ones stand for: those of a file that they name.
  static func expanded(_ arguments: [String]) throws -> [String]

  /// Whether an error of the work is one of the command line.
  static func isUsage(_ error: any Error) -> Bool

  /// Whether several processes that mpirun starts share the work, see `sharing`, instead of being refused. Of them the
  /// first speaks.
  static var isShared: Bool { get }

  /// Whether an error of the work is that the user has stopped it.
  static func isInterruption(_ error: any Error) -> Bool

  /// Does the work. Cancelled on Ctrl-C, whereupon it leaves nothing behind.
  func work(_ given: GivenOptions) async throws
}

extension Tool {
  /// Status of a process that Ctrl-C ended, as shells expect it.
  static var interrupted: ExitCode { ExitCode(130) }

  package static func expanded(_ arguments: [String]) throws -> [String] { arguments }

  package static var isShared: Bool { false }

  package static func isInterruption(_ error: any Error) -> Bool {
    error is CancellationError || error is Interruption
  }

  package static func isUsage(_ error: any Error) -> Bool {
    switch error {
    case let error as CheckpointError: error.isOfOptions
    case let error as OperationError: error.isOfOptions
    default: false
    }
  }

  /// Parses the command line and runs the command. To be called from `main`.
  package static func start() async {
    MappedFile.explainTruncation()
    let launch = LaunchEnvironment.current
    // Tasks of Slurm may each have a work of its own, which a tool that shares nothing does not hinder.
    let isOneOfMany = launch.hasOthers && (isShared || launch.kind != .tasks)
    let isSilent = isOneOfMany && launch.rank > 0
    func note(_ text: String) { if !isSilent { StandardError.say(text) } }
    // Reading the command line would take several times as long as the help itself.
    if CommandLine.fileArguments == ["--help"], !isOneOfMany {
      StandardOutput.write(helpMessage() + "\n")
      return checkOutput()
    }
    do {
      let (command, given): (Self, GivenOptions)
      do {
        (command, given) = try read(note: note)
      } catch  where isShared && isOneOfMany && !exitCode(for: error).isSuccess {
        throw await refusal(of: error)
      }
      if !isShared, isOneOfMany { refuseOthers(launch) }
      let signals = InterruptSignals()
      defer { withExtendedLifetime(signals) {} }
      let task = Task { try await command.work(given) }
      signals.onInterrupt { task.cancel() }
      try await task.value
    } catch  where isSilent {
      exit(withError: status(of: error))
    } catch is CancellationError {
      StandardError.say("\(Interruption(written: [], of: 1))")
      exit(withError: interrupted)
    } catch let interruption as Interruption {
      StandardError.say("\(interruption)")
      exit(withError: interrupted)
    } catch let code as ExitCode {
      checkOutput()
      exit(withError: code)
    } catch let error as ValidationError {
      exit(withError: ValidationError(error.message.printable))
    } catch {
      // Asked once, since the parser makes the help for the answer.
      switch exitCode(for: error) {
      case let code where code.isSuccess:
        // What was asked for and is no work: help, the version, a completion script.
        StandardOutput.write(withoutSubcommands(fullMessage(for: error)) + "\n")
      case .failure:
        // Not of the parser. What a file says of itself stands in messages.
        StandardError.say("Error: \(error)")
        exit(withError: statusOfWork(error))
      default:
        exit(withError: printable(error))
      }
    }
    checkOutput()
  }

  /// The command line.
  private static func read(note: (String) -> Void) throws -> (Self, GivenOptions) {
    let arguments = normalization.normalized(CommandLine.fileArguments, note: note)
    try options.checkLengths(of: arguments)
    let given = try options.read(expanded(arguments), note: note)
    let command = try parse(given.arguments)
    try IntegerRange.check(command, given.arguments)
    return (command, given)
  }

  private static func status(of error: any Error) -> ExitCode {
    switch error {
    case let code as ExitCode: code
    case _ where isInterruption(error): interrupted
    case _ where isOfParser(error): exitCode(for: error)
    default: statusOfWork(error)
    }
  }

  /// Of what is not of the parser.
  private static func statusOfWork(_ error: any Error) -> ExitCode {
    switch error {
    case _ where isInterruption(error): interrupted
    case let failure as RankFailure: failure.status
    default: isUsage(error) ? .validationFailure : .failure
    }
  }

  /// Ends the process if results could not be told.
  private static func checkOutput() {
    guard let failure = StandardOutput.failure else { return }
    let reason = "\(failure)"
    StandardError.write(
      "Error: standard output: cannot write: \(reason.prefix(1).lowercased())\(reason.dropFirst())"
        + "; all else is done\n")
    exit(withError: ExitCode.failure)
  }

  /// A script of completions for zsh without the places of subcommands, which no tool has: beside arguments
  /// that repeat zsh refuses them.
  private static func withoutSubcommands(_ text: String) -> String {
    guard text.hasPrefix("#compdef") else { return text }
    return text.split(separator: "\n", omittingEmptySubsequences: false)
      .filter { !$0.contains("'(-): :->command'") && !$0.contains("'(-)*:: :->arg'") }
      .joined(separator: "\n")
  }

  /// What the parser says, with what arguments hold escaped: it quotes them, and wraps errors of validation.
  private static func printable(_ error: any Error) -> any Error {
    let isHostile = CommandLine.fileArguments.contains { $0 != $0.printable }
    return isHostile ? ValidationError(message(for: error).printable) : error
  }

  /// Whether the parser has its own words for an error, as for a missing argument or the help.
  static func isOfParser(_ error: any Error) -> Bool {
    exitCode(for: error) != .failure
  }

  /// The parser's own entry, which `start` takes the place of.
  package func run() async throws {
    preconditionFailure("expected 'start', which reads the options first")
  }
}
