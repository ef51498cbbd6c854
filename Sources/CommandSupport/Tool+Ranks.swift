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
  /// - Throws: on the first rank what `body` threw, or the failure of another one; on the others a status alone.
  package static func sharing<Result>(
    _ body: (any Communicator) async throws -> Result
  ) async throws -> Result {
    let ranks: any Communicator
    do throws(ClusterError) {
      ranks = try MPICommunicator.joined { StandardError.say("Error: \($0)") }
    } catch {
      // It may be missing on one machine alone, and then nobody else can tell.
      StandardError.say("Error: rank \(LaunchEnvironment.current.rank): \(error)")
      throw ExitCode.failure
    }
    defer { (ranks as? MPICommunicator)?.finish() }
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
        ? .interrupted : isUsage(error) || error is ValidationError ? .usage : .fault
      let text = (error as? ValidationError)?.message ?? "\(error)"
      let failure = ranks.fail(RankFailure(text, kind, on: ranks))
      guard ranks.isFirst else { throw failure.status }
      throw failure.isShared || kind == .interrupted ? error : failure
    }
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
