import Foundation
import TestSupport
import Testing

/// What is said of commands that cannot be followed: the reason first, and what to do.
@Suite struct MessageTests {
  static let sd1 = Fixtures.path("lora/sd1-small/kohya.safetensors").string

  @Test(arguments: [
    ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13], "a PNG image"),
    ([0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 0x4A, 0x46, 0x49, 0x46, 0, 1], "a JPEG image"),
    (Array("RIFF\u{1}\u{1}\u{1}\u{1}WEBPVP8 ".utf8), "a WebP image"),
    (Array("GIF89a\u{1}\u{1}\u{1}\u{1}".utf8), "a GIF image"),
    ([0x08, 0x07, 0x12, 0x07] + Array("pytorch".utf8), "an ONNX graph"),
    (Array("ftrt".utf8) + [0, 0, 0, 0, 1, 2, 3, 4], "a TensorRT engine"),
    ([0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0, 123, 39], "a numpy array"),
    ([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3], "a gzip archive"),
    (Array("<!DOCTYPE html><html></html>".utf8), "a web page"),
    (Array("version https://git-lfs.github.com/spec/v1\n".utf8), "a git-lfs pointer"),
    (Array("{\"a\": 1, \"b\": [1, 2]}".utf8), "JSON"), (Array("{}".utf8), "JSON"),
    (Array("a line of text\n".utf8), "text"),
  ])
  func saysWhatAFileIs(bytes: [UInt8], name: String) throws {
    let folder = TemporaryFolder()
    try Data(bytes).write(to: URL(fileURLWithPath: folder.file("x.safetensors").string))
    let run = ToolRun("lyco-inspect", ["x.safetensors"], in: folder.path)
    #expect(run.status == 1)
    #expect(run.errors.contains("found \(name)"), "\(run.errors)")
    #expect(run.errors.split(separator: "\n").count == 1)
  }

  @Test(arguments: [
    "stabilityai/stable-diffusion-xl-base-1.0", "https://huggingface.co/a/b/model.safetensors",
  ])
  func nothingIsDownloaded(name: String) {
    for (tool, arguments) in [
      ("lyco-inspect", [name]), ("lyco-merge", [name, Self.sd1, "-o", "x.safetensors"]),
      ("lyco-extract", [name, name, "-o", "x.safetensors"]),
    ] {
      let run = ToolRun(tool, arguments)
      #expect(run.status == 1)
      #expect(run.errors.contains("nothing is downloaded"), "\(tool): \(run.errors)")
    }
  }

  @Test func againstTakesACheckpoint() {
    let run = ToolRun("lyco-inspect", [Self.sd1, "--against", Self.sd1])
    #expect(run.status == 64)
    #expect(run.errors.contains("'--against': expected the checkpoint that the adapter is for"))
    #expect(run.errors.contains("'--diff' compares two adapters"))
  }

  /// A name in a file neither steers the terminal nor forges a line.
  @Test func namesAreEscapedEverywhere() throws {
    let folder = TemporaryFolder()
    let hostile = "x\u{1B}[31m\nError: forged"
    try folder.write(hostile, text: "not a model")
    for (tool, arguments) in [
      ("lyco-inspect", [hostile]), ("lyco-merge", [hostile, hostile, "-o", "o.safetensors"]),
      ("lyco-extract", [hostile, hostile, "-o", "o.safetensors"]),
      ("lyco-convert", [hostile, "-o", "o.safetensors"]),
      ("lyco-convert", ["-o", "o.safetensors", "a", "--set_meta", hostile]),
      ("lyco-merge", ["a", "b", "-o", "o.safetensors", "--family", hostile]),
      ("lyco-merge", ["a", "b", "-o", "o.safetensors", "--\(hostile)"]),
    ] {
      let run = ToolRun(tool, arguments, in: folder.path)
      #expect(run.status != 0)
      #expect(!run.errors.contains("\u{1B}"), "\(tool) \(arguments)")
      #expect(!run.errors.split(separator: "\n").contains { $0.hasPrefix("Error: forged") })
    }
  }

  /// What can only be wrong on the command line is wrong usage.
  @Test(arguments: [
    ("lyco-extract", ["a", "b", "-o", "c", "--preset", "none-such"]),
    ("lyco-extract", ["a", "b", "-o", "c", "--exclude_patterns", "("]),
    ("lyco-merge", ["a", "b", "-o", "c", "--exclude_patterns", "["]),
    ("lyco-merge", ["a", "b", "-o", "c", "--block_weights", "x"]),
  ])
  func wrongValuesAreUsage(tool: String, arguments: [String]) {
    let run = ToolRun(tool, arguments)
    #expect(run.status == 64, "\(run.errors)")
    #expect(run.output == "")
  }

  /// The same where it takes the plan of a training to tell.
  @Test(arguments: [
    ["--optimizer_type", "Adamm"], ["--lr_scheduler", "cosin"], ["--network_args", "algo"],
    ["--network_args", "algo=lokr"], ["--network_module", "networks.laura"],
    ["--optimizer_args", "weight_decai=1"],
  ])
  func wrongValuesOfTrainingAreUsage(arguments: [String]) {
    let base = Fixtures.path("training/tiny")
    let run = ToolRun(
      "lyco-train",
      [
        "--pretrained_model_name_or_path", base.string, "--train_data_dir",
        base.appending("images").string, "--resolution", "64", "--plan",
      ] + arguments)
    #expect(run.status == 64, "\(arguments): \(run.errors)")
    #expect(run.errors.split(separator: "\n").contains { $0.hasPrefix("Error: ") })
    if arguments[1] == "algo=lokr" {
      #expect(run.errors.contains("'--network_module lycoris.kohya' does"), "\(run.errors)")
    }
  }
}
