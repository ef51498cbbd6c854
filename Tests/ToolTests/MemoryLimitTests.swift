import Foundation
import SystemPackage
import TestSupport
import Testing

/// Tools under `ulimit -v`.
struct MemoryLimitTests {
  private func run(kilobytes: Int, _ tool: String) throws -> ShellRun {
    let file = Fixtures.path("lora/sd1-small/base.ldm.safetensors").string
    return try ShellRun("ulimit -v \(kilobytes); exec $B/\(tool) '\(file)'", in: "/")
  }

  @Test(
    .timeLimit(.minutes(60)),
    arguments: [
      "lyco-inspect", "lyco-merge", "lyco-extract", "lyco-convert", "lyco-train", "lyco-sample",
    ])
  func tooLittleIsSaid(_ tool: String) throws {
    for kilobytes in [300_000, 600_000, 1_000_000] {
      let run = try run(kilobytes: kilobytes, tool)
      #expect(run.status == 1, "\(kilobytes)")
      #expect(
        run.errors
          == "Error: the limit of memory (ulimit -v): expected at least 1024 MiB, found \(kilobytes >> 10) MiB\n"
      )
    }
  }

  @Test func enoughIsEnough() throws {
    let run = try run(kilobytes: 1 << 20, "lyco-inspect")
    #expect(run.status == 0, "\(run.errors)")
  }
}
