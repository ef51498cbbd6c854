import Foundation
import SystemPackage
import TestSupport
import Testing

/// `lyco-inspect` as users run it.
@Suite struct InspectTests {
  private func run(_ arguments: String..., files: [String]) -> ToolRun {
    ToolRun("lyco-inspect", files.map { Fixtures.path($0).string } + arguments)
  }

  @Test func summaryOfAnAdapter() {
    let run = run(files: ["inspect/trained.safetensors"])
    #expect(run.status == 0)
    #expect(run.errors.isEmpty)
    for text in [
      "adapter of 3 modules: lora 3", "sd1: Stable Diffusion 1.x", "down_blocks.attentions",
      "Lighthouse", "sea 15, lamp 12, night sky 5", "10_lighthouse", "noise_offset",
      "sshs_model_hash", "6,531 parameters",
    ] {
      #expect(run.output.contains(text), "\(text)")
    }
  }

  /// What is in a file cannot steer a terminal, and fits its lines; a finding has one, however long.
  @Test(arguments: [
    "inspect/trained.safetensors", "inspect/faulty.safetensors",
    "lora/sd1-small/kohya.safetensors", "real/chgnet/base.safetensors",
  ])
  func outputIsPlainText(file: String) {
    let run = run("--check", files: [file])
    let whole = run.output + self.run(files: [file]).output
    #expect(!whole.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" || $0.value == 0x7F })
    let single = ["/", "  finding: ", "  note: "]
    for line in whole.split(separator: "\n")
    where !single.contains(where: { line.hasPrefix($0) }) {
      #expect(line.count <= 100, "\(line)")
    }
  }

  @Test func keysStandInFileOrder() {
    let run = run(
      "--keys", "--pattern", "*attn2_to_k.lora_down*", files: ["inspect/trained.safetensors"])
    let rows = run.output.split(separator: "\n").filter { $0.contains("lora_down.weight") }
    #expect(rows.count == 3)
    #expect(rows.first?.contains("F16    [2, 768]  3,072") == true)
    #expect(rows.map { $0.suffix(60) } == rows.map { $0.suffix(60) }.sorted())
  }

  @Test func findingsExitWithTwo() {
    let faulty = run("--check", files: ["inspect/faulty.safetensors"])
    #expect(faulty.status == 2)
    #expect(
      faulty.output.contains("finding: module 'lora_unet_missing_up': 'lora_up.weight' is missing"))
    #expect(faulty.output.contains("note: module 'lora_unet_zero' is zero"))
    let sound = run("--check", files: ["inspect/trained.safetensors"])
    #expect(sound.status == 0)
    #expect(sound.output.contains("nothing wrong"))
  }

  @Test func unmatchedModulesExitWithTwo() {
    let base = Fixtures.path("real/fashion-ddpm/base.safetensors").string
    let own = run("--against", base, files: ["real/fashion-ddpm/trained-lora-r4.safetensors"])
    #expect(own.status == 0)
    #expect(own.output.contains("83 of 83 modules match"))
    let foreign = run("--against", base, files: ["lora/sd1-small/kohya.safetensors"])
    #expect(foreign.status == 2)
    #expect(foreign.output.contains("unmatched: lora_te_text_model"))
  }

  @Test func differences() {
    let tuned = Fixtures.path("real/chgnet/tuned.safetensors").string
    let changed = run("--diff", tuned, files: ["real/chgnet/base.safetensors"])
    #expect(changed.status == 2)
    #expect(changed.output.contains("changed, the largest change first"))
    let equal = run("--diff", tuned, files: ["real/chgnet/tuned.safetensors"])
    #expect(equal.status == 0)
    #expect(equal.output.contains("equal: all 136 tensors and the metadata"))
  }

  @Test func statisticsAndSpectrum() {
    let run = run(
      "--stats", "--spectrum", "--limit", "1", "--pattern", ".*conv_in.*",
      files: ["real/fashion-ddpm/trained-lora-r4.safetensors"])
    #expect(run.status == 0)
    // ‖ΔW‖ and singular values as Fixtures/inspect/measured.json has them.
    let rows = run.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    #expect(
      rows.contains(["0.0527", "0.652", "1.54", "0", "4", "0.100", "lora_unet_conv_in"]))
    #expect(run.output.contains("0.0801 0.0456 0.0319 0.0234"))
  }

  @Test func jsonIsAnObjectForOneFileAndAListForSeveral() throws {
    let one = run(
      "--json", "--stats", "--keys", "--check", "--spectrum", files: ["inspect/trained.safetensors"]
    )
    let object = try #require(
      JSONSerialization.jsonObject(with: Data(one.output.utf8)) as? [String: Any])
    #expect(object["kind"] as? String == "adapter")
    #expect((object["keys"] as? [Any])?.count == 9)
    #expect((object["statistics"] as? [Any])?.count == 3)
    #expect((object["spectra"] as? [Any])?.count == 3)
    #expect((object["metadata"] as? [String: String])?.count == 38)
    let two = run("--json", files: ["inspect/trained.safetensors", "inspect/latents.safetensors"])
    let list = try #require(
      JSONSerialization.jsonObject(with: Data(two.output.utf8)) as? [[String: Any]])
    #expect(list.map { $0["kind"] as? String } == ["adapter", "latent cache"])
  }

  @Test func oneBrokenFileOfSeveralIsNamed() {
    let run = run(files: ["broken/truncated-data.safetensors", "inspect/ia3.safetensors"])
    #expect(run.status == 1)
    #expect(run.errors.contains("truncated-data.safetensors: "))
    #expect(run.errors.split(separator: "\n").count == 1)
    #expect(run.output.contains("ia3 4"))
  }

  @Test func wrongUsage() {
    #expect(ToolRun("lyco-inspect", []).status == 64)
    #expect(run("--pattern", "(", files: ["inspect/ia3.safetensors"]).status == 64)
    #expect(run("--leading", "0", files: ["inspect/ia3.safetensors"]).status == 64)
    #expect(run("--family", "sd9", files: ["inspect/ia3.safetensors"]).status == 64)
    #expect(run("--spectrum", files: ["real/chgnet/base.safetensors"]).status == 1)
  }
}
