import Foundation
import Safetensors
import SystemPackage
import TestSupport
import Testing

/// What every tool does alike: dry runs, metadata, results as JSON, labels.
@Suite struct ConsistencyTests {
  static let base = Fixtures.path("real/fashion-ddpm/base.safetensors").string
  static let adapter = Fixtures.path("real/fashion-ddpm/trained-lora-r4.safetensors").string
  static let pair = [
    Fixtures.path("real/waifu2x-cunet/base.safetensors").string,
    Fixtures.path("real/waifu2x-cunet/tuned.safetensors").string,
  ]

  /// A plan needs no place for an output.
  @Test func dryRunsNeedNoOutput() {
    for (tool, arguments) in [
      ("lyco-extract", Self.pair), ("lyco-merge", [Self.base, Self.adapter]),
      ("lyco-convert", [Self.adapter]), ("lyco-convert", [Self.base]),
    ] {
      let folder = TemporaryFolder()
      let run = ToolRun(tool, arguments + ["--dry_run"], in: folder.path)
      #expect(run.status == 0, "\(tool): \(run.errors)")
      #expect(run.output != "")
      #expect(folder.entries == [])
      let real = ToolRun(tool, arguments, in: folder.path)
      #expect(real.status == 64)
      #expect(real.errors.contains("'-o"), "\(real.errors)")
    }
  }

  /// Modules, ranks, warnings and refusals of a dry run are those of the run, whatever becomes of the modules.
  @Test func dryRunsSayWhatTheRunSays() throws {
    let tiny = Fixtures.path("lora/sd1-small")
    let base = tiny.appending("base.ldm.safetensors").string
    let folder = TemporaryFolder()
    let dora = tiny.appending("dora.safetensors").string
    let adapter = tiny.appending("kohya.safetensors").string
    for arguments in [
      [adapter, "--ratio", "0"], [adapter, "--block_weights", "*=0"],
      [adapter, "--block_weights", "te1=0", "--dim", "1"],
      [adapter, "--reader", "peft", "-o", "p.safetensors"],
      [adapter, "--to", "comfy"], [adapter, "--to", "diffusers", "--algo", "loha", "--dim", "2"],
      [dora, "--to", "comfy", "--base", base], [dora, "--algo", "full", "--base", base],
      [dora, "--algo", "full"], [dora, "--to", "comfy"],
      [adapter, adapter, "--ratio", "0.5", "0.5"], [adapter, "--max_error", "0.4"],
    ] {
      let output = arguments.contains("-o") ? [] : ["-o", "o.safetensors"]
      let options = arguments + output + ["--family", "sd1", "--json"]
      let plan = ToolRun("lyco-convert", options + ["--dry_run"], in: folder.path)
      let run = ToolRun("lyco-convert", options, in: folder.path)
      #expect(plan.status == run.status, "\(arguments): \(plan.errors)")
      #expect(plan.errors == run.errors)
      #expect(try facts(plan.output) == facts(run.output), "\(arguments)")
    }
  }

  /// What is printed as JSON but for the time it took.
  private func facts(_ json: String) throws -> NSDictionary {
    guard !json.isEmpty else { return [:] }
    let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
    var facts = try #require(object)
    facts["seconds"] = nil
    return facts as NSDictionary
  }

  /// By the words that users know, in every tool that writes.
  @Test func metadataAreSetByTheirWords() throws {
    for (tool, arguments) in [
      ("lyco-extract", Self.pair), ("lyco-merge", [Self.base, Self.adapter]),
      ("lyco-convert", [Self.adapter]),
    ] {
      let folder = TemporaryFolder()
      let run = ToolRun(
        tool,
        arguments + [
          "-o", "o.safetensors", "--set_meta", "title=Lighthouse", "--set_meta", "comment=by hand",
          "--set_meta", "my.key=1",
          // By which shards of a set know one another, and so not of a file by itself.
          "--set_meta", "lyco_set=mine",
        ], in: folder.path)
      #expect(run.status == 0, "\(tool): \(run.errors)")
      let metadata = try TensorFile(opening: folder.file("o.safetensors")).metadata
      #expect(metadata["modelspec.title"] == "Lighthouse", "\(tool)")
      #expect(metadata["ss_training_comment"] == "by hand")
      #expect(metadata["my.key"] == "1")
      let shown = ToolRun("lyco-inspect", ["o.safetensors", "--metadata"], in: folder.path)
      #expect(shown.output.contains("  modelspec.title: Lighthouse\n"), "\(shown.output)")
      #expect(shown.output.contains("  my.key: 1\n") && !shown.output.contains("lyco_set"))
    }
  }

  /// Several results are one list.
  @Test func severalResultsAreOneList() throws {
    let folder = TemporaryFolder()
    for name in ["a", "b"] {
      try FileManager.default.createDirectory(
        atPath: folder.file("in").string, withIntermediateDirectories: true)
      try FileManager.default.copyItem(
        atPath: Self.adapter, toPath: folder.file("in/\(name).safetensors").string)
    }
    for extra in [["--dry_run"], []] {
      let run = ToolRun(
        "lyco-convert", ["in", "--output_dir", "out", "--json"] + extra, in: folder.path)
      #expect(run.status == 0, "\(run.errors)")
      let list = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [[String: Any]]
      #expect(list?.count == 2, "\(run.output)")
    }
    let one = ToolRun(
      "lyco-convert", ["in/a.safetensors", "-o", "o.safetensors", "--json"], in: folder.path)
    let object = try JSONSerialization.jsonObject(with: Data(one.output.utf8)) as? [String: Any]
    #expect(object?["written"] != nil)
  }

  @Test func averagesTellTheirStepsAsJSON() throws {
    let folder = TemporaryFolder()
    let run = ToolRun(
      "lyco-convert",
      [Self.adapter, Self.adapter, "--ema", "--json", "-o", "o.safetensors"], in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
    #expect((object?["steps"] as? [Any])?.count == 2, "\(run.output)")
  }

  @Test func verboseListsEveryModule() {
    let folder = TemporaryFolder()
    let extracted = ToolRun(
      "lyco-extract", Self.pair + ["-o", "o.safetensors", "--dim", "2", "-v"], in: folder.path)
    #expect(
      extracted.output.contains("Convolution1 ") && extracted.output.contains("Convolution22"))
    let merged = ToolRun(
      "lyco-merge", [Self.base, Self.adapter, "-o", "m.safetensors", "--verbose"], in: folder.path)
    #expect(merged.output.contains("conv_in.weight"), "\(merged.output)")
    #expect(merged.output.split(separator: "\n").count > 83)
  }

  @Test func labelsAreThoseOfUsers() {
    let folder = TemporaryFolder()
    let run = ToolRun(
      "lyco-extract", Self.pair + ["-o", "o.safetensors", "--dim", "2", "--dora_wd"],
      in: folder.path)
    #expect(run.output.contains("DoRA (LoRA)"), "\(run.output)\(run.errors)")
    let shown = ToolRun("lyco-inspect", ["o.safetensors"], in: folder.path)
    #expect(shown.output.contains("DoRA (LoRA)"), "\(shown.output)")
    let converted = ToolRun(
      "lyco-convert", ["o.safetensors", "-o", "p.safetensors"], in: folder.path)
    #expect(converted.output.contains("DoRA (LoRA)"), "\(converted.output)")
    #expect(!converted.output.contains("sgm"))
  }

  /// Metadata are edited in place where that is asked for.
  @Test func oneFileIsChangedInItsPlace() throws {
    let folder = TemporaryFolder()
    try FileManager.default.copyItem(
      atPath: Self.adapter, toPath: folder.file("a.safetensors").string)
    let refused = ToolRun(
      "lyco-convert", ["a.safetensors", "--set_meta", "title=Bag"], in: folder.path)
    #expect(refused.status == 64)
    let run = ToolRun(
      "lyco-convert", ["a.safetensors", "--set_meta", "title=Bag", "--overwrite"], in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(folder.entries == ["a.safetensors"])
    let file = try TensorFile(opening: folder.file("a.safetensors"))
    #expect(file.metadata["modelspec.title"] == "Bag")
    #expect(file.contents == (try TensorFile(opening: FilePath(Self.adapter)).contents))
  }
}
