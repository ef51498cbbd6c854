import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Spellings that users paste, and what the tools say about themselves.
@Suite struct CommandLineTests {
  static let base = Fixtures.path("real/waifu2x-cunet/base.safetensors").string
  static let tuned = Fixtures.path("real/waifu2x-cunet/tuned.safetensors").string

  @Test(arguments: ["lyco-extract", "lyco-merge"])
  func helpHasExamples(tool: String) {
    let help = ToolRun(tool, ["--help"])
    #expect(help.status == 0)
    #expect(help.errors == "")
    #expect(help.output.contains("EXAMPLES\n"))
    #expect(help.output.contains("EXIT STATUS"))
    #expect(help.output.contains("  \(tool) "))
    #expect(help.output.contains("--dry_run"))
    #expect(ToolRun(tool, ["--generate-completion-script", "bash"]).status == 0)
  }

  /// Hyphens for underscores, kohya's names for the same options.
  @Test func spellingsMeanTheSame() throws {
    let folder = TemporaryFolder()
    let spellings = [
      ["--linear_dim", "4", "--conv_dim", "2", "--save_precision", "bf16", "-o"],
      ["--linear-dim", "4", "--conv-dim", "2", "--save-precision", "bf16", "--output"],
      ["--dim=4", "--conv-dim=2", "--save-precision=bf16", "--device", "cuda", "--save-to"],
    ]
    var files: [[String: EncodedTensor]] = []
    for (index, spelling) in spellings.enumerated() {
      let name = "\(index).safetensors"
      let run = ToolRun(
        "lyco-extract", [Self.base, Self.tuned] + spelling + [name], in: folder.path)
      #expect(run.status == 0, "\(run.errors)")
      files.append(try TensorFile(opening: folder.file(name)).contents)
    }
    #expect(files[0] == files[1])
    #expect(files[0] == files[2])
  }

  /// Several numbers behind one option, negative ones too.
  @Test func listsOfNumbers() throws {
    let folder = TemporaryFolder()
    func weights(_ seed: UInt64) -> [String: EncodedTensor] {
      ["m.diff": EncodedTensor(Tensor(random: [4, 3], seed: seed), as: .f32)]
    }
    try folder.write("a.safetensors", weights(1))
    try folder.write("b.safetensors", weights(2))
    try folder.write(
      "base.safetensors", ["m.weight": EncodedTensor(Tensor(random: [4, 3], seed: 3), as: .f32)])
    let files = ["base.safetensors", "a.safetensors", "b.safetensors"]
    let forms = [
      files + ["--ratio", "0.7", "-0.3", "-o", "0.safetensors"],
      files + ["--ratio=0.7", "--ratio=-0.3", "-o", "1.safetensors"],
      ["--ratios", "0.7", "-0.3"] + files + ["-o", "2.safetensors"],
      files + ["-o", "3.safetensors", "--unet-ratio", "7", "-3", "--ratio", "0.1"],
    ]
    for form in forms {
      let run = ToolRun("lyco-merge", form, in: folder.path)
      #expect(run.status == 0, "\(form): \(run.errors)")
    }
    for index in 0..<4 {
      let merged = try TensorFile(opening: folder.file("\(index).safetensors"))
      let found = merged.tensors["m.weight"]!.tensor().elements
      for i in 0..<12 {
        let (a, b, base) = (
          weights(1)["m.diff"]!.decoded().elements[i], weights(2)["m.diff"]!.decoded().elements[i],
          Tensor(random: [4, 3], seed: 3).elements[i]
        )
        #expect(abs(found[i] - (base + 0.7 * a - 0.3 * b)) < 1e-6)
      }
    }
  }

  @Test func resultsAsJSON() throws {
    let folder = TemporaryFolder()
    let run = ToolRun(
      "lyco-extract", [Self.base, Self.tuned, "-o", "a.safetensors", "--json"], in: folder.path)
    #expect(run.status == 0)
    #expect(run.output.hasPrefix("{\n"))
    #expect(run.output.contains("\"relative_error\""))
    let quiet = ToolRun(
      "lyco-extract", [Self.base, Self.tuned, "-o", "a.safetensors", "-q"], in: folder.path)
    #expect(quiet.output == "" && quiet.errors == "")
  }
}
