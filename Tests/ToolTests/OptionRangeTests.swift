import Foundation
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Every option of every tool, as the tools list them, with a number that nothing can be multiplied by.
struct OptionRangeTests {
  private struct Help: Decodable {
    struct Command: Decodable { let arguments: [Argument] }
    struct Argument: Decodable {
      let kind: String
      let names: [Name]?
    }
    struct Name: Decodable {
      let kind: String
      let name: String
    }
    let command: Command
  }

  @Test(
    .timeLimit(.minutes(60)),
    arguments: [
      "lyco-extract", "lyco-merge", "lyco-convert", "lyco-inspect", "lyco-train", "lyco-sample",
    ])
  func hugeNumbers(_ tool: String) throws {
    let folder = TemporaryFolder()
    let weight = EncodedTensor(.f32, [8, 6], [UInt8](repeating: 0, count: 192))
    let other = EncodedTensor(.f32, [8, 6], [UInt8](repeating: 60, count: 192))
    let base = try folder.write("base.safetensors", ["a.weight": weight]).string
    let tuned = try folder.write("tuned.safetensors", ["a.weight": other]).string
    let adapter = try folder.write(
      "adapter.safetensors",
      [
        "a.lora_up.weight": EncodedTensor(.f32, [8, 1], [UInt8](repeating: 60, count: 32)),
        "a.lora_down.weight": EncodedTensor(.f32, [1, 6], [UInt8](repeating: 60, count: 24)),
      ]
    ).string
    let tiny = Fixtures.path("training/tiny").string
    let command =
      switch tool {
      case "lyco-extract": [base, tuned, "-o", "o.safetensors"]
      case "lyco-merge": [base, adapter, "-o", "o.safetensors"]
      case "lyco-convert": [adapter, "-o", "o.safetensors"]
      case "lyco-inspect": [adapter]
      case "lyco-sample":
        [
          "--base", tiny, "--prompt", "a", "--width", "64", "--height", "64", "--steps", "1", "-o",
          "o.png",
        ]
      default:
        [
          "--pretrained_model_name_or_path", tiny, "--train_data_dir", "\(tiny)/images",
          "--resolution", "32", "--output_dir", "out", "--dry_run",
        ]
      }
    let text = ToolRun(tool, ["--experimental-dump-help"]).output
    let help = try JSONDecoder().decode(Help.self, from: Data(text.utf8))
    let options = help.command.arguments.filter { $0.kind == "option" }
      .compactMap { $0.names?.first { $0.kind == "long" }?.name }
    #expect(options.count > 5)
    for option in options {
      let run = ToolRun(tool, command + ["--\(option)=4611686018427387904"])
      #expect(
        [0, 1, 64].contains(run.status), "--\(option): \(run.status) \(run.errors.prefix(300))")
    }
  }

  @Test func theRangeIsSaid() {
    let run = ToolRun(
      "lyco-extract", ["a", "b", "-o", "c", "--linear_dim", "4611686018427387904"])
    #expect(run.status == 64)
    #expect(
      run.errors.hasPrefix(
        "Error: '--linear_dim': expected a whole number of at most 2147483647, found 4611686018427387904"
      ), "\(run.errors)")
  }
}
