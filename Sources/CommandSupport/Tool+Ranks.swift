import ArgumentParser
import Cluster
package import Machine

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Work that processes share which mpirun has started.
extension Tool {
  /// Runs `body` on every rank, which all end alike: where one fails, the first tells why.
  /// - Parameter lastWords: what is said where ranks end without meeting again, see `MPICommunicator.joined`.
  /// - Throws: on the first rank what `body` threw, or the failure of another one; on the others a status alone.
  package static func sharing<Result>(
    _ given: GivenOptions,
    lastWords: @escaping @Sendable (RankFailure) -> String = { "\($0)" },
    _ body: (any Communicator) async throws -> Result
  ) async throws -> Result {
    try await together(lastWords) { ranks in
      try ranks.checkAlike([("version", Suite.version)] + given.shared)
      return try await body(ranks)
    }
  }

  /// What the first rank is to say of a command line that this one refuses, which the others may not.
  static func refusal(of error: any Error) async -> any Error {
    do {
      try await together { _ -> Void in throw error }
      return error
    } catch {
      return error
    }
  }

  private static func together<Result>(
    _ lastWords: @escaping @Sendable (RankFailure) -> String = { "\($0)" },
    _ body: (any Communicator) async throws -> Result
  ) async throws -> Result {
    let ranks: any Communicator
    do throws(ClusterError) {
      ranks = try MPICommunicator.joined { StandardError.say("Error: \(lastWords($0))") }
    } catch {
      // The library may be missing on one machine alone, and then nobody else can tell. Where it is missing on all, the
      // first rank ends the others before they say so too.
      if LaunchEnvironment.current.rank > 0 {
        guard error.isOfOne else { throw ExitCode.failure }
        sleep(secondsOfFirst)
      }
      StandardError.say("Error: rank \(LaunchEnvironment.current.rank): \(error)")
      throw ExitCode.failure
    }
    defer { (ranks as? MPICommunicator)?.finishAtExit() }
    guard ranks.count > 1 else { return try await body(ranks) }
    do {
      let result = try await body(ranks)
      try ranks.agree()
      return result
    } catch {
      if let failure = ranks.failure {
        throw ranks.isFirst ? error : failure.status
      }
      let kind: RankFailure.Kind =
        isInterruption(error)
        ? .interrupted
        : isUsage(error) || isOfParser(error) ? .usage : .fault
      let failure = ranks.fail(RankFailure(line(of: error), kind, on: ranks))
      guard ranks.isFirst else { throw failure.status }
      throw failure.isShared || kind == .interrupted ? error : failure
    }
  }

  private static func line(of error: any Error) -> String {
    let text = isOfParser(error) ? message(for: error) : "\(error)"
    return text.split(separator: "\n").first.map { String($0) } ?? ""
  }

  /// What the other ranks leave the first to speak alone, after which whoever started them ends them.
  private static var secondsOfFirst: UInt32 { 3 }

  /// Ends processes that were started together with a tool that does not share its work: each would do all of it, and
  /// write the same files.
  static func refuseOthers(_ launch: LaunchEnvironment) -> Never {
    if launch.rank > 0 {
      sleep(secondsOfFirst)
    } else {
      let count = launch.count.map { "\($0)" } ?? "several"
      StandardError.say(
        "Error: \(configuration.commandName ?? "the tool") shares its work with no other process: expected one, found "
          + "\(count) that were started together; start it without 'mpirun' or 'srun'")
    }
    exit(withError: ExitCode.validationFailure)
  }

  /// Says a last line and ends the process, whatever its threads are doing.
  /// - Parameter last: done in between; what it is too late for is lost.
  package static func leave(saying line: String, _ last: () -> Void = {}) {
    StandardError.say(line)
    last()
    _exit(interrupted.rawValue)
  }
}

extension RankFailure {
  var status: ExitCode {
    switch kind {
    case .usage: .validationFailure
    case .fault, .numbers: .failure
    case .interrupted: ExitCode(130)
    }
  }
}
