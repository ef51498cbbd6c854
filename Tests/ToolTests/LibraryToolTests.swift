import CommandSupport
import SystemPackage
import TestSupport
import Testing

/// OpenBLAS, LAPACKE and oneDNN are loaded where the first number is computed, and not before: a tool starts in a
/// fraction of the time that they take.
@Suite struct LibraryToolTests {
  /// What the loader finds first under the names of the libraries, and cannot load.
  static let names = [
    "libopenblas.so.0", "liblapacke.so.3", "libdnnl.so.2", "libdnnl.so.3",
  ]

  private static func environment(in folder: borrowing TemporaryFolder) throws -> [String: String] {
    for name in names { try folder.write(name, text: "no library") }
    return ["LD_LIBRARY_PATH": folder.path.string]
  }

  @Test(arguments: OptionTable.all.map(\.tool))
  func helpNeedsNone(tool: String) throws {
    let broken = TemporaryFolder()
    let run = ToolRun(tool, ["--help"], environment: try Self.environment(in: broken))
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors == "")
    #expect(run.output == ToolRun(tool, ["--help"]).output)
  }

  @Test func inspectingAndRefusingNeedNone() throws {
    let broken = TemporaryFolder()
    let environment = try Self.environment(in: broken)
    let inspection = ToolRun("lyco-inspect", [RoundTripTests.base], environment: environment)
    #expect(inspection.status == 0, "\(inspection.errors)")
    let refusal = ToolRun(
      "lyco-merge", ["missing.safetensors", "a.safetensors", "-o", "m.safetensors"],
      environment: environment)
    #expect(refusal.errors.contains("missing.safetensors"))
    #expect(!refusal.errors.contains("libopenblas"))
  }

  /// One line that says what to install, and nothing is left behind.
  @Test func aMissingLibraryIsTold() throws {
    let broken = TemporaryFolder()
    let folder = TemporaryFolder()
    let run = ToolRun(
      "lyco-extract",
      [RoundTripTests.base, RoundTripTests.tuned, "-o", "a.safetensors", "--linear_dim", "4"],
      in: folder.path, environment: try Self.environment(in: broken))
    #expect(run.status == 1)
    #expect(
      run.errors.hasPrefix("Error: libopenblas.so.0: expected it where libraries are looked for"))
    #expect(run.errors.hasSuffix("install it (Debian: 'apt install libopenblas0')\n"))
    #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    #expect(folder.entries == [])
  }
}
