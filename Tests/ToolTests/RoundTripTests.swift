import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Extraction and merge by the built tools.
@Suite struct RoundTripTests {
  static let pair = Fixtures.path("real/waifu2x-cunet")
  static var base: String { pair.appending("base.safetensors").string }
  static var tuned: String { pair.appending("tuned.safetensors").string }

  @Test func restoresTheTunedFile() throws {
    let folder = TemporaryFolder()
    let extract = ToolRun(
      "lyco-extract",
      [
        Self.base, Self.tuned, "-o", "a.safetensors", "--mode", "full", "--norms", "--bias",
        "--report", "report.json",
      ], in: folder.path)
    #expect(extract.status == 0, "\(extract.errors)")
    #expect(extract.errors == "")
    #expect(extract.output.hasPrefix("a.safetensors: "))
    let merge = ToolRun(
      "lyco-merge", [Self.base, "a.safetensors", "-o", "m.safetensors"], in: folder.path)
    #expect(merge.status == 0, "\(merge.errors)")
    #expect(merge.errors == "")
    #expect(merge.output.hasPrefix("m.safetensors: "))
    #expect(folder.entries == ["a.safetensors", "m.safetensors", "report.json"])
    let merged = try TensorFile(opening: folder.file("m.safetensors"))
    let tuned = try TensorFile(opening: FilePath(Self.tuned))
    #expect(Set(merged.tensors.keys) == Set(tuned.tensors.keys))
    for (key, view) in tuned.tensors {
      #expect(largestStep(merged.tensors[key]!.stored, view.stored) <= 1, "\(key)")
    }
    #expect(merged.metadata["modelspec.merged_from"] == "a")
    struct Report: Decodable {
      struct Totals: Decodable { let relativeError: Double }
      let mode: String
      let totals: Totals
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let report = try decoder.decode(
      Report.self, from: Data(try contents(of: folder.file("report.json"))))
    #expect(report.mode == "full")
    #expect(report.totals.relativeError < 1e-6)
  }

  /// Equal inputs give equal bytes, in another run and with another number of threads.
  @Test func bytesAreDeterministic() throws {
    let folder = TemporaryFolder()
    var files: [(adapter: [UInt8], merged: [UInt8])] = []
    for (run, threads) in ["1", "2", "2"].enumerated() {
      // The metadata holds the name of the output, so it is the same in every run.
      let name = "run\(run)"
      try folder.write(name + "/.keep", text: "")
      let place = folder.file(name)
      let extract = ToolRun(
        "lyco-extract",
        [Self.base, Self.tuned, "-o", "a.safetensors", "--linear_dim", "8", "--threads", threads],
        in: place)
      let merge = ToolRun(
        "lyco-merge",
        [
          Self.base, "a.safetensors", "--ratio", "0.5", "-o", "m.safetensors", "--threads", threads,
        ],
        in: place)
      #expect(extract.status == 0 && merge.status == 0)
      files.append(
        (
          try contents(of: place.appending("a.safetensors")),
          try contents(of: place.appending("m.safetensors"))
        ))
    }
    #expect(files[0].adapter == files[1].adapter && files[1].adapter == files[2].adapter)
    #expect(files[0].merged == files[1].merged && files[1].merged == files[2].merged)
  }

  @Test func dryRunsWriteNothing() {
    let folder = TemporaryFolder()
    let extract = ToolRun(
      "lyco-extract", [Self.base, Self.tuned, "-o", "a.safetensors", "--dry_run"], in: folder.path)
    #expect(extract.status == 0)
    #expect(extract.output.contains("parameters to compare"))
    let merge = ToolRun(
      "lyco-merge",
      [
        Fixtures.path("lora/sd1-small/base").string,
        Fixtures.path("lora/sd1-small/kohya.safetensors").string, "-o", "merged", "--dry-run",
        "--family", "sd1",
      ], in: folder.path)
    #expect(merge.status == 0, "\(merge.errors)")
    #expect(merge.output.contains("402 modules matched, 0 skipped, 0 unmatched"))
    #expect(folder.entries == [])
  }

  /// The output may be an input: what is read stays mapped until the end.
  @Test func replacesItsInputs() throws {
    let folder = TemporaryFolder()
    let bytes = try contents(of: FilePath(Self.base))
    try Data(bytes).write(to: URL(filePath: folder.file("base.safetensors").string))
    try Data(contents(of: FilePath(Self.tuned))).write(
      to: URL(filePath: folder.file("tuned.safetensors").string))
    func run(_ tool: String, _ arguments: [String]) {
      let run = ToolRun(tool, arguments, in: folder.path)
      #expect(run.status == 0, "\(run.errors)")
    }
    run("lyco-extract", ["base.safetensors", "tuned.safetensors", "-o", "a.safetensors"])
    run("lyco-merge", ["base.safetensors", "a.safetensors", "-o", "m.safetensors"])
    run("lyco-merge", ["base.safetensors", "a.safetensors", "-o", "base.safetensors"])
    #expect(
      try contents(of: folder.file("base.safetensors"))
        == contents(of: folder.file("m.safetensors")))
    try Data(bytes).write(to: URL(filePath: folder.file("base.safetensors").string))
    run(
      "lyco-extract",
      ["base.safetensors", "tuned.safetensors", "-o", "tuned.safetensors", "--overwrite"])
    #expect(
      try TensorFile(opening: folder.file("tuned.safetensors")).contents
        == TensorFile(opening: folder.file("a.safetensors")).contents)
    #expect(folder.entries.count == 4)
  }

  @Test func compressesByName() throws {
    let folder = TemporaryFolder()
    for name in ["a.safetensors", "a.safetensors.zst"] {
      let run = ToolRun("lyco-extract", [Self.base, Self.tuned, "-o", name], in: folder.path)
      #expect(run.status == 0, "\(run.errors)")
    }
    let plain = try TensorFile(opening: folder.file("a.safetensors"))
    let compressed = try TensorFile(opening: folder.file("a.safetensors.zst"))
    #expect(compressed.layout == .compressed)
    #expect(compressed.contents == plain.contents)
    #expect(
      try contents(of: folder.file("a.safetensors.zst")).prefix(4) == [0x28, 0xB5, 0x2F, 0xFD])
    let merge = ToolRun(
      "lyco-merge", [Self.base, "a.safetensors.zst", "-o", "m.safetensors.zst"], in: folder.path)
    #expect(merge.status == 0, "\(merge.errors)")
    #expect(
      try TensorFile(opening: folder.file("m.safetensors.zst")).tensors.count
        == TensorFile(opening: FilePath(Self.base)).tensors.count)
  }

  @Test func splitsIntoShards() throws {
    let folder = TemporaryFolder()
    let extract = ToolRun(
      "lyco-extract", [Self.base, Self.tuned, "-o", "a.safetensors"], in: folder.path)
    #expect(extract.status == 0)
    for arguments in [["m.safetensors"], ["s.safetensors", "--shard-size", "600kB"]] {
      let run = ToolRun(
        "lyco-merge", [Self.base, "a.safetensors", "-o"] + arguments, in: folder.path)
      #expect(run.status == 0, "\(run.errors)")
    }
    #expect(folder.entries.contains("s.safetensors.index.json"))
    #expect(folder.entries.count { $0.hasPrefix("s-0") } > 3)
    for entry in folder.entries where entry.hasPrefix("s-0") {
      #expect(try contents(of: folder.file(entry)).count < 600_000 + 20_000)
    }
    let whole = try TensorFile(opening: folder.file("m.safetensors"))
    let shards = try TensorFile(opening: folder.file("s.safetensors.index.json"))
    #expect(shards.layout == .sharded)
    #expect(shards.contents == whole.contents)
  }

  /// A diffusers folder goes in and one comes out, with what stands beside the weights.
  @Test func mergesFolders() throws {
    let folder = TemporaryFolder()
    let source = Fixtures.path("lora/sd1-small/base")
    for file in ["unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"] {
      try folder.write("base/\(file)", text: "")
      try Data(contents(of: source.appending(FilePath(file).components))).write(
        to: URL(filePath: folder.file("base/\(file)").string))
    }
    try folder.write("base/unet/config.json", text: "{}\n")
    try folder.write("base/model_index.json", text: "{\"_class_name\": \"X\"}\n")
    try folder.write("base/tokenizer/merges.txt", text: "a b\n")
    try folder.write("base/unet/old.bin", text: "weights")
    let run = ToolRun(
      "lyco-merge",
      [
        "base", Fixtures.path("lora/sd1-small/kohya.safetensors").string, "-o", "merged",
        "--family", "sd1",
      ], in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(
      directoryEntries(folder.file("merged"))
        == ["model_index.json", "text_encoder", "tokenizer", "unet"])
    #expect(
      directoryEntries(folder.file("merged/unet"))
        == ["config.json", "diffusion_pytorch_model.safetensors"])
    #expect(
      try contents(of: folder.file("merged/tokenizer/merges.txt")) == Array("a b\n".utf8))
    let merged = try TensorFile(opening: folder.file("merged"))
    #expect(merged.layout == .folder)
    #expect(
      Set(merged.tensors.keys) == Set(try TensorFile(opening: source).tensors.keys))
    let file = ToolRun(
      "lyco-merge",
      [
        "base", Fixtures.path("lora/sd1-small/kohya.safetensors").string, "-o",
        "merged.safetensors", "--family", "sd1",
      ], in: folder.path)
    #expect(file.status == 1)
    #expect(
      file.errors
        == "Error: merged.safetensors: expected a folder, since base is a diffusers folder\n")
    #expect(!folder.entries.contains("merged.safetensors"))
  }
}
