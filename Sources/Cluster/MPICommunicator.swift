import CMPI
package import Machine

/// Ranks that mpirun or srun started, over Open MPI.
///
/// Every collective call begins with two numbers of each rank, the second of which says whether it has failed. So a
/// rank that cannot go on meets the others at whatever they do next, and all end in order.
package final class MPICommunicator: Communicator, @unchecked Sendable {
  package let rank: Int
  package let hosts: [String]
  package private(set) var failure: RankFailure?
  /// Told why this rank ends all others, when there is nobody else to tell.
  private let end: @Sendable (RankFailure) -> Void
  /// After an error of the library nobody can be reached.
  private var isBroken = false

  /// How long a rank that has failed waits for the others, who may be in the middle of a batch.
  private static let patience = 5.0

  /// Seconds that a rank does without signs of life. The first watches all, the others watch the first: of these the
  /// lowest that is there speaks, for the next waits a little longer.
  private var longestSilence: Double { isFirst ? 6 : 7 + 0.4 * Double(min(rank - 1, 5)) }

  /// The ranks that this process was started with; itself alone where it was started as any other, and then no
  /// library is loaded.
  /// - Parameter end: does what is left to do where the ranks end without meeting again, as where one of them hangs, and
  ///   says why. It may be called on another thread.
  /// - Throws: `ClusterError`
  package static func joined(
    _ environment: LaunchEnvironment = .current, end: @escaping @Sendable (RankFailure) -> Void
  ) throws(ClusterError) -> any Communicator {
    switch environment.kind {
    case .alone: return SingleProcess()
    case .other(let variable):
      throw .launcher(variable: variable, count: environment.count ?? 0)
    case .tasks: throw .tasks(count: environment.count ?? 0)
    case .openMPI:
      if environment.count == 1 { return SingleProcess() }
      let ranks = try MPICommunicator(end: end)
      // Each would take itself for alone, and write what all write.
      if let started = environment.count, started != ranks.count {
        throw .apart(
          started: started, found: ranks.count,
          version: unsafe String(cString: lyco_mpi_version()))
      }
      ranks.watch()
      return ranks
    }
  }

  private init(end: @escaping @Sendable (RankFailure) -> Void) throws(ClusterError) {
    self.end = end
    if let reason = unsafe lyco_mpi_start() { throw .library(unsafe String(cString: reason)) }
    rank = Int(lyco_mpi_rank())
    let host = unsafe Array(String(cString: lyco_mpi_host()).utf8)
    let count = Int(lyco_mpi_size())
    guard case .all(let messages, _) = Self.exchange(host, isFailure: false, among: count, 0) else {
      throw .library("the ranks cannot reach each other")
    }
    hosts = messages.map { String(decoding: $0, as: UTF8.self) }
  }

  /// Ends all ranks when one of them has been silent for too long: it hangs, was stopped, or its machine cannot be
  /// reached, and the others would wait for it without end.
  private func watch() {
    // Alive as long as the process: the thread that looks may be in the middle of it.
    let context = unsafe Unmanaged.passRetained(self).toOpaque()
    _ = unsafe lyco_mpi_watch(
      longestSilence,
      { rank, context in
        guard let context = unsafe context else { return }
        let ranks = unsafe Unmanaged<MPICommunicator>.fromOpaque(context).takeUnretainedValue()
        ranks.end(
          RankFailure(
            "gives no sign of life: it hangs, was stopped, or its machine is out of reach", .fault,
            on: Int(rank), ranks.hosts[Int(rank)]))
        lyco_mpi_abort(1)
      }, context)
  }

  /// Leaves the others at the end of the process, after its last word: mpirun ends all ranks once one has ended with a
  /// fault. All ranks have to, whether the run failed or not; no other call is to come after it.
  package func finishAtExit() { if !isBroken { lyco_mpi_finish_at_exit() } }

  package func gather(_ message: [UInt8]) throws(RankFailure) -> [[UInt8]] {
    try exchange(message, onlyToFirst: false)
  }

  package func collect(_ message: [UInt8]) throws(RankFailure) -> [[UInt8]]? {
    let messages = try exchange(message, onlyToFirst: true)
    return isFirst ? messages : nil
  }

  private func exchange(
    _ message: [UInt8], onlyToFirst: Bool
  ) throws(RankFailure) -> [[UInt8]] {
    switch Self.exchange(message, isFailure: false, among: count, onlyToFirst: onlyToFirst, 0) {
    case .all(let messages, let failed):
      guard failed.isEmpty else { throw note(messages, failed) }
      return messages
    case .late, .error: throw lost(-1)
    }
  }

  package func fail(_ failure: RankFailure) -> RankFailure {
    if !isBroken {
      let found = Self.exchange(failure.encoded, isFailure: true, among: count, Self.patience)
      if case .all(let messages, let failed) = found { return note(messages, failed) }
    }
    end(failure)
    lyco_mpi_abort(1)
    return failure
  }

  package func sum(of count: Int) -> any OrderedSum { MPISum(of: count, over: self) }

  /// Keeps what all stop for.
  private func note(_ messages: [[UInt8]], _ failed: [Int]) -> RankFailure {
    let failures = failed.compactMap { RankFailure(decoding: messages[$0]) }
    let first =
      failures.isEmpty
      ? RankFailure("failed without saying why", .fault, on: self)
      : RankFailure(of: failures, among: count)
    failure = first
    return first
  }

  /// What is thrown where the library reports an error: a rank or a connection is gone.
  func lost(_ code: CInt) -> RankFailure {
    isBroken = true
    let reason = code < 0 ? "" : unsafe ": " + String(cString: lyco_mpi_error(code))
    let lost = RankFailure("lost the connection to the other ranks\(reason)", .fault, on: self)
    failure = lost
    return lost
  }

  private enum Exchanged {
    /// Messages, and which ranks have failed.
    case all([[UInt8]], failed: [Int])
    case late
    case error
  }

  /// - Parameter patience: seconds that the others are waited for; 0 for as long as it takes.
  private static func exchange(
    _ message: [UInt8], isFailure: Bool, among count: Int, onlyToFirst: Bool = false,
    _ patience: Double
  ) -> Exchanged {
    // Allocated for good where the wait ends early: it may still be written to.
    let heads = UnsafeMutablePointer<UInt64>.allocate(capacity: 2 * count)
    var late: CInt = 0
    let own = [UInt64(message.count), isFailure ? 1 : 0]
    guard unsafe lyco_mpi_gather_heads(own, heads, patience, &late) == 0 else { return .error }
    guard late == 0 else { return .late }
    defer { unsafe heads.deallocate() }
    let counts = (0..<count).map { unsafe heads[2 * $0] }
    let failed = (0..<count).filter { unsafe heads[2 * $0 + 1] == 1 }
    // Why a rank has failed is for all.
    let goesToFirst = onlyToFirst && failed.isEmpty
    let isTarget = !goesToFirst || lyco_mpi_rank() == 0
    let total = isTarget ? Int(counts.reduce(0, +)) : 0
    var code: CInt = 0
    let all = unsafe [UInt8](unsafeUninitializedCapacity: total) { target, written in
      if goesToFirst {
        code = unsafe lyco_mpi_collect_bytes(message, counts, target.baseAddress)
      } else if total > 0 {
        code = unsafe lyco_mpi_gather(message, counts, target.baseAddress)
      }
      written = total
    }
    guard code == 0 else { return .error }
    guard isTarget else { return .all([], failed: []) }
    var start = 0
    return .all(
      counts.map { count in
        defer { start += Int(count) }
        return Array(all[start..<start + Int(count)])
      }, failed: failed)
  }
}
