import Cluster
import Testing

/// What starts ranks is told by variables, of which each launcher has its own.
@Suite struct LaunchEnvironmentTests {
  @Test func aProcessByItselfIsAlone() {
    // The second as the script of a job has it, whatever tasks the job has.
    for environment in [
      ["PATH": "/bin"], ["SLURM_PROCID": "0", "SLURM_NTASKS": "2"], ["SLURM_STEP_NUM_TASKS": "1"],
    ] {
      let alone = LaunchEnvironment(environment)
      #expect(alone.kind == .alone && alone.count == 1 && alone.rank == 0 && !alone.hasOthers)
    }
  }

  @Test func mpirunSaysRankAndCount() {
    let environment = LaunchEnvironment([
      "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2", "PMIX_RANK": "2",
    ])
    #expect(environment.kind == .openMPI && environment.count == 4 && environment.rank == 2)
  }

  /// As `srun --mpi=pmix` starts them.
  @Test func slurmSaysThemInWordsOfItsOwn() {
    let environment = LaunchEnvironment(["PMIX_RANK": "1", "SLURM_STEP_NUM_TASKS": "3"])
    #expect(environment.kind == .openMPI && environment.count == 3 && environment.rank == 1)
  }

  /// As `srun` starts them where nobody asks for MPI.
  @Test func tasksWithoutMPIDoNotTakeThemselvesForAlone() throws {
    let environment = LaunchEnvironment(["SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"])
    #expect(environment.kind == .tasks && environment.count == 2 && environment.rank == 1)
    #expect(throws: ClusterError.tasks(count: 2)) {
      _ = try MPICommunicator.joined(environment) { _ in }
    }
  }

  /// As MPICH's mpiexec does; one process of it is as good as alone.
  @Test func anotherMPIIsRefused() throws {
    let environment = LaunchEnvironment(["PMI_SIZE": "2", "PMI_RANK": "1"])
    #expect(environment.kind == .other("PMI_SIZE"))
    #expect(LaunchEnvironment(["PMI_SIZE": "1", "PMI_RANK": "0"]).kind == .alone)
    #expect(throws: ClusterError.launcher(variable: "PMI_SIZE", count: 2)) {
      _ = try MPICommunicator.joined(environment) { _ in }
    }
  }
}
