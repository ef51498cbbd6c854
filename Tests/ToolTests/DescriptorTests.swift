import Foundation
import Safetensors
import SystemPackage
import TestSupport
import Testing

/// Tools whose standard streams are closed, or that may open few files.
@Suite struct DescriptorTests {
  /// No output gets the number of a stream that is closed, and with it what is meant for the stream.
  @Test(arguments: ["", ">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
  func closedStreams(streams: String) throws {
    let folder = TemporaryFolder()
    try FaultScenario.writeInputs(to: folder)
    let words = "base.safetensors a.safetensors -o o.safetensors --verbose --shard_size 100"
    #expect(try ShellRun("$B/lyco-merge \(words) > /dev/null", in: folder.path).status == 0)
    let whole = try FileTree(folder.path)
    let run = try ShellRun("$B/lyco-merge \(words) \(streams)", in: folder.path)
    #expect(try FileTree(folder.path) == whole)
    let losesResults = streams.contains(" >&-") || streams.hasPrefix(">&-")
    #expect(run.status == (losesResults ? 1 : 0), "\(run.errors)")
    if losesResults && !streams.contains("2>") {
      #expect(run.errors.contains("Error: standard output: cannot write"), "\(run.errors)")
    }
  }

  /// Who reads results, or messages, and goes away, ends no work.
  @Test func readersThatGoAway() throws {
    let folder = TemporaryFolder()
    try FaultScenario.writeInputs(to: folder)
    let words = "$B/lyco-convert a.safetensors b.safetensors --verbose --output_dir o"
    // The pipe has no reader when the tool begins.
    let run = try ShellRun(
      "{ sleep 0.3; \(words) 2>&1; echo $? > status; } | true; sleep 0; while [ ! -s status ]; do sleep 0.1; done",
      in: folder.path)
    #expect(try contents(of: folder.file("status")) == Array("0\n".utf8), "\(run.errors)")
    #expect(directoryEntries(folder.file("o")) == ["a.safetensors", "b.safetensors"])
  }

  /// A limit on the size of files is an error like a full disk, not an end without a word.
  @Test func smallFiles() throws {
    let folder = TemporaryFolder()
    try FaultScenario.writeInputs(to: folder)
    let start = try FileTree(folder.path)
    let run = try ShellRun(
      "ulimit -f 0; exec $B/lyco-merge base.safetensors a.safetensors -o o.safetensors",
      in: folder.path)
    #expect(run.status == 1)
    #expect(
      run.errors.contains("Error: o.safetensors: cannot write: file too large"), "\(run.errors)")
    #expect(try FileTree(folder.path) == start)
  }

  @Test(arguments: [
    "lyco-inspect", "lyco-merge", "lyco-extract", "lyco-convert", "lyco-train", "lyco-sample",
  ])
  func fewFiles(tool: String) throws {
    let folder = TemporaryFolder()
    let run = try ShellRun("ulimit -n 5; exec $B/\(tool) x.safetensors", in: folder.path)
    #expect(run.status == 1)
    #expect(
      run.errors == "Error: the limit of open files (ulimit -n): expected at least 8, found 5\n")
  }

  /// A name of a file's index, of a list or of a file of settings that is longer than any path is refused at once.
  @Test func longNames() throws {
    let folder = TemporaryFolder()
    try FaultScenario.writeInputs(to: folder)
    let long = String(repeating: "x", count: 100_000)
    try folder.write("m.safetensors.index.json", text: "{\"weight_map\": {\"a\": \"\(long)\"}}")
    try folder.write(
      "data.toml", text: "[[datasets]]\n[[datasets.subsets]]\nimage_dir = \"\(long)\"")
    for (tool, arguments) in [
      ("lyco-inspect", ["m.safetensors.index.json"]),
      ("lyco-convert", ["a.safetensors", "-o", "o.safetensors", "--bundle_add", long]),
      (
        "lyco-train",
        [
          "--pretrained_model_name_or_path", Fixtures.path("training/tiny").string,
          "--dataset_config", "data.toml", "--resolution", "32",
        ]
      ),
    ] {
      let start = ContinuousClock.now
      let run = ToolRun(tool, arguments, in: folder.path)
      #expect(run.status == 1, "\(tool): \(run.errors.prefix(300))")
      // It took minutes, by the square of the length; the machine may have much else to do.
      #expect(ContinuousClock.now - start < .seconds(120), "\(tool)")
    }
  }
}
