import Foundation
import SystemPackage
import TestSupport
import Testing

/// `mpirun -n N lyco-extract`: modules are divided over ranks, and the file has the bytes of one process.
@Suite(.serialized) struct RankedExtractTests {
  private let folder = TemporaryFolder.ofProcess()

  @Test(arguments: [
    ["--linear_dim", "4"], ["--algo", "lokr", "--factor", "4", "--linear_dim", "2"],
    ["--algo", "loha", "--linear_dim", "2"], ["--algo", "glora", "--linear_dim", "2"],
    ["--algo", "ia3"], ["--algo", "oft", "--linear_dim", "4"],
    ["--algo", "boft", "--linear_dim", "4"], ["--algo", "full", "--norms", "--bias"],
    ["--dora_wd", "--linear_dim", "2"], ["--algo", "auto", "--max_error", "0.5"],
    ["--algo", "auto", "--mode", "size", "--max_size", "100KiB", "--bias"],
    ["--mode", "size", "--max_size", "60KiB", "--norms"],
  ])
  func sameBytesAsOneProcess(options: [String]) throws {
    let base = Fixtures.path("real/fashion-ddpm/base.safetensors").string
    let tuned = Fixtures.path("real/fashion-ddpm/tuned.safetensors").string
    var files: [Data] = []
    var reports: [String] = []
    for ranks in 1...3 {
      // Reports hold the command, so the names are those of the run before.
      let output = folder.appending("adapter.safetensors").string
      let report = folder.appending("report.json").string
      let run = try RankedRun(
        "lyco-extract",
        [
          base, tuned, "-o", output, "--quiet", "--no_metadata", "--threads", "1", "--report",
          report,
        ]
          + options, ranks: ranks)
      #expect(run.end() == 0, "\(run.allErrors)")
      files.append(try Data(contentsOf: URL(filePath: output)))
      // All but the time that it took.
      reports.append(
        try String(contentsOfFile: report, encoding: .utf8).split(separator: "\n")
          .filter { !$0.contains("seconds") }.joined(separator: "\n"))
    }
    #expect(files[0] == files[1] && files[0] == files[2])
    #expect(reports[0] == reports[1] && reports[0] == reports[2])
  }

  /// One line, which names the rank; no file.
  @Test func numbersThatAreNoneStopAllRanks() throws {
    let base = Fixtures.path("real/fashion-ddpm/base.safetensors").string
    let output = folder.appending("none.safetensors").string
    let run = try RankedRun(
      "lyco-extract", [base, base, "-o", output, "--quiet", "--linear_dim", "2"], ranks: 2)
    #expect(run.end() != 0)
    #expect(run.errors.count == 1, "\(run.allErrors)")
    #expect(!FileManager.default.fileExists(atPath: output))
  }

  /// As where one machine has another version of a checkpoint under the same name.
  @Test func otherNumbersOfACheckpointAreTold() throws {
    let base = Fixtures.path("real/fashion-ddpm/base.safetensors").string
    let tuned = Fixtures.path("real/fashion-ddpm/tuned.safetensors").string
    let output = folder.appending("other.safetensors").string
    let run = try RankedRun(
      "lyco-extract",
      ofEach: (0...1).map { rank in
        [
          base, [tuned, base][rank], "-o", output, "--quiet", "--linear_dim", "2",
        ]
      })
    #expect(run.end() != 0)
    #expect(run.errors.count == 1, "\(run.allErrors)")
    #expect(run.errors[0].contains("rank 1 ("), "\(run.allErrors)")
    #expect(run.errors[0].contains("numbers of the tuned checkpoint"), "\(run.allErrors)")
    #expect(!FileManager.default.fileExists(atPath: output))
  }
}
