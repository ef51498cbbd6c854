import FoundationEssentials

/// What whoever started this process says of ranks, before any library is loaded.
package struct LaunchEnvironment: Equatable, Sendable {
  /// How many processes were started, where that is said.
  package let count: Int?
  /// This one among them.
  package let rank: Int
  /// What started them: `mpirun`, `srun --mpi=pmix`; processes of another kind share nothing.
  package let kind: Kind

  package enum Kind: Equatable, Sendable {
    /// A process like any other.
    case alone
    case openMPI
    /// Of MPICH and its kin, by the variable that tells.
    case other(String)
    /// Tasks of Slurm without MPI: shares of one work for which '--mpi=pmix' was forgotten, or works of their own.
    case tasks
  }

  /// Whether other processes were started with this one, as far as is known.
  package var hasOthers: Bool { kind != .alone && count != 1 }

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
    } else if let count = number("SLURM_STEP_NUM_TASKS"), count > 1 {
      (self.count, rank, kind) = (count, number("SLURM_PROCID") ?? 0, .tasks)
    } else {
      (count, rank, kind) = (1, 0, .alone)
    }
  }
}
