import Foundation
import SystemPackage
import TestSupport
import Testing

/// Tools under `ulimit -v`.
struct MemoryLimitTests {
  private func run(kilobytes: Int, _ tool: String) throws -> (status: Int32, errors: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c", "ulimit -v \(kilobytes); exec \"$0\" \"$1\"", ToolRun.executable(tool).path,
      Fixtures.path("lora/sd1-small/base.ldm.safetensors").string,
    ]
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let text = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let status =
      process.terminationReason == .uncaughtSignal
      ? 128 + process.terminationStatus : process.terminationStatus
    return (status, String(decoding: text, as: UTF8.self))
  }

  @Test(
    .timeLimit(.minutes(60)),
    arguments: ["lyco-inspect", "lyco-merge", "lyco-extract", "lyco-convert", "lyco-train"])
  func tooLittleIsSaid(_ tool: String) throws {
    for kilobytes in [300_000, 600_000, 1_000_000] {
      let (status, errors) = try run(kilobytes: kilobytes, tool)
      #expect(status == 1, "\(kilobytes)")
      #expect(
        errors
          == "Error: the limit of memory (ulimit -v): expected at least 1024 MiB, found \(kilobytes >> 10) MiB\n"
      )
    }
  }

  @Test func enoughIsEnough() throws {
    let (status, errors) = try run(kilobytes: 1 << 20, "lyco-inspect")
    #expect(status == 0, "\(errors)")
  }
}
