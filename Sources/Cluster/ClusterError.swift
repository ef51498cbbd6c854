/// Why a process cannot join the others that it was started with.
package enum ClusterError: Error, Equatable {
  /// Of the library.
  case library(String)
  /// The library is not that of the mpirun.
  case apart(started: Int, found: Int, version: String)
  /// Something else than Open MPI started the processes.
  case launcher(variable: String, count: Int)
  /// Slurm started them without MPI.
  case tasks(count: Int)

  /// Whether one process may find it and the others not.
  package var isOfOne: Bool {
    switch self {
    case .library, .apart: true
    case .launcher, .tasks: false
    }
  }
}

extension ClusterError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .library(let reason): "mpirun: \(reason)"
    case .apart(let started, let found, let version):
      "\(started) processes were started together, of which the library (\(version)) sees \(found): expected the "
        + "'mpirun' of that library; name its folder in LD_LIBRARY_PATH"
    case .launcher(let variable, let count):
      "\(count) processes were started together by another MPI ('\(variable)' is set): expected Open MPI's 'mpirun' "
        + "or Slurm's 'srun --mpi=pmix'"
    case .tasks(let count):
      "\(count) tasks were started together without MPI, and each would do all of the work: expected "
        + "'srun --mpi=pmix'; for a work of its own in each task put 'env -u SLURM_STEP_NUM_TASKS' in front"
    }
  }
}
