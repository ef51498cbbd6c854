import TestSupport
import Testing

/// Processes that were started together and cannot reach each other do not take themselves for alone.
@Suite struct LaunchTests {
  @Test(arguments: [
    (["OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"], "of which the library"),
    (["PMI_SIZE": "2", "PMI_RANK": "1"], "another MPI"),
  ])
  func refusesToWorkApart(environment: [String: String], says: String) {
    let run = ToolRun(
      "lyco-extract", ["base.safetensors", "tuned.safetensors", "-o", "adapter.safetensors"],
      environment: environment)
    #expect(run.status == 1)
    #expect(run.errors.hasPrefix("Error: rank 1: 2 processes were started together"))
    #expect(run.errors.contains(says) && run.errors.split(separator: "\n").count == 1)
  }
}
