import FoundationEssentials

/// What whoever started this process says of ranks, before any library is loaded.
package struct LaunchEnvironment: Equatable, Sendable {
  /// How many processes were started, where that is said.
  package let count: Int?
  /// This one among them.
  package let rank: Int
  /// What started them: `mpirun`, `srun --mpi=pmix`; another kind's is refused.
  package let kind: Kind

  package enum Kind: Equatable, Sendable {
    /// A process like any other.
    case alone
    case openMPI
    /// Of MPICH and its kin, by the variable that tells.
    case other(String)
  }

  package static var current: LaunchEnvironment {
    LaunchEnvironment(ProcessInfo.processInfo.environment)
  }

  package init(_ environment: [String: String]) {
    func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) } }
    if let count = number("OMPI_COMM_WORLD_SIZE") {
      (self.count, rank, kind) = (count, number("OMPI_COMM_WORLD_RANK") ?? 0, .openMPI)
    } else if let rank = number("PMIX_RANK") {
      (count, self.rank, kind) = (number("SLURM_STEP_NUM_TASKS"), rank, .openMPI)
    } else if let count = number("PMI_SIZE"), count > 1 {
      (self.count, rank, kind) = (count, number("PMI_RANK") ?? 0, .other("PMI_SIZE"))
    } else {
      (count, rank, kind) = (1, 0, .alone)
    }
  }
}
