import TestSupport
import Testing

/// Processes that were started together and cannot reach each other do not take themselves for alone.
@Suite struct LaunchTests {
  @Test(arguments: [
    (["OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"], "of which the library"),
    (["PMI_SIZE": "2", "PMI_RANK": "0"], "another MPI"),
    (["SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "0"], "'srun --mpi=pmix'"),
  ])
  func refusesToWorkApart(environment: [String: String], says: String) {
    let run = ToolRun(
      "lyco-extract", ["base.safetensors", "tuned.safetensors", "-o", "adapter.safetensors"],
      environment: environment)
    #expect(run.status == 1)
    #expect(run.errors.contains(/^Error: rank [01]: 2 (processes|tasks) were started together/))
    #expect(run.errors.contains(says) && run.errors.split(separator: "\n").count == 1)
  }

  /// Tools that share nothing would each write the same; those that only tell something tell it once.
  @Test(arguments: [
    ("lyco-merge", ["base.safetensors", "adapter.safetensors", "-o", "merged.safetensors"]),
    ("lyco-convert", ["adapter.safetensors", "-o", "converted.safetensors", "--to", "peft"]),
    ("lyco-inspect", ["adapter.safetensors"]),
    ("lyco-sample", ["--base", "model", "--prompt", "a bag", "-o", "bag.png"]),
  ])
  func toolsThatShareNothingRefuseOthers(tool: String, arguments: [String]) throws {
    let run = try RankedRun(tool, arguments, ranks: 2)
    #expect(run.end() == 64)
    #expect(run.errors.count == 1, "\(run.allErrors)")
    #expect(
      run.errors.first?.hasPrefix("Error: \(tool) shares its work with no other process") == true)
    #expect(run.output.isEmpty)
    let version = try RankedRun(tool, ["--version"], ranks: 2)
    #expect(version.end() == 0 && version.output.split(separator: "\n").count == 1)
  }

  /// Tasks of Slurm may be works of their own: what is not there is told, not that there are others.
  @Test func tasksOfSlurmMayWorkAlone() {
    let run = ToolRun(
      "lyco-inspect", ["nothing.safetensors"],
      environment: ["SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"])
    #expect(run.errors.contains("nothing.safetensors"))
  }
}
