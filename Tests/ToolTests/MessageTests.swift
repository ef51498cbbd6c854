import Foundation
import SystemPackage
import TestSupport
import Testing

/// What is said of commands that cannot be followed: the reason first, and what to do.
@Suite struct MessageTests {
  static let sd1 = Fixtures.path("lora/sd1-small/kohya.safetensors").string

  /// What a file begins with, and what is said of it.
  struct Foreign: Sendable, CustomTestStringConvertible {
    let bytes: [UInt8]
    let name: String
    var testDescription: String { name }

    init(_ name: String, _ bytes: [UInt8], text: String = "", _ rest: [UInt8] = []) {
      self.name = name
      self.bytes = bytes + Array(text.utf8) + rest
    }
  }

  static let foreign: [Foreign] = [
    Foreign("a PNG image", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13]),
    Foreign("a JPEG image", [0xFF, 0xD8, 0xFF, 0xE0, 0, 16, 0x4A, 0x46, 0x49, 0x46, 0, 1]),
    Foreign("a WebP image", [], text: "RIFF\u{1}\u{1}\u{1}\u{1}WEBPVP8 "),
    Foreign("a GIF image", [], text: "GIF89a\u{1}\u{1}\u{1}\u{1}"),
    Foreign("an ONNX graph", [0x08, 0x07, 0x12, 0x07], text: "pytorch"),
    Foreign("a TensorRT engine", [], text: "ftrt", [0, 0, 0, 0, 1, 2, 3, 4]),
    Foreign("a numpy array", [0x93], text: "NUMPY", [1, 0, 118, 0, 123, 39]),
    Foreign("a gzip archive", [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]),
    Foreign("a web page", [], text: "<!DOCTYPE html><html></html>"),
    Foreign("a git-lfs pointer", [], text: "version https://git-lfs.github.com/spec/v1\n"),
    Foreign("JSON", [], text: "{\"a\": 1, \"b\": [1, 2]}"), Foreign("JSON", [], text: "{}"),
    Foreign("text", [], text: "a line of text\n"),
  ]

  @Test(arguments: foreign)
  func saysWhatAFileIs(file: Foreign) throws {
    let folder = TemporaryFolder()
    try Data(file.bytes).write(to: URL(fileURLWithPath: folder.file("x.safetensors").string))
    let run = ToolRun("lyco-inspect", ["x.safetensors"], in: folder.path)
    #expect(run.status == 1)
    #expect(run.errors.contains("found \(file.name)"), "\(run.errors)")
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

  /// Nor does a key of a training's file, or a folder of its images.
  @Test func namesOfTrainingsAreEscaped() throws {
    let folder = TemporaryFolder()
    try folder.write("keys.toml", text: #""x\u001B[31m\nError: forged" = 1"# + "\n")
    let tiny = Fixtures.path("training/tiny")
    let images = "1_x\u{1B}[31m\nError: forged"
    try FileManager.default.createDirectory(
      atPath: folder.file("images").string, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: tiny.appending("images/10_bag").string,
      toPath: folder.file("images/\(images)").string)
    for arguments in [
      ["--config_file", "keys.toml"],
      [
        "--pretrained_model_name_or_path", tiny.string, "--train_data_dir", "images",
        "--resolution", "64", "--plan",
      ],
    ] {
      let run = ToolRun("lyco-train", arguments, in: folder.path)
      let text = run.output + run.errors
      #expect(text.contains("x\\u{1B}[31m\\nError: forged"), "\(text)")
      #expect(!text.contains("\u{1B}"), "\(arguments)")
      #expect(!text.split(separator: "\n").contains { $0.hasPrefix("Error: forged") })
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

  /// Two checkpoints of different models: that is said first, and no option advised.
  @Test func checkpointsOfTwoModelsAreToldApart() throws {
    let folder = TemporaryFolder()
    let sd1 = try SparseCheckpoint.write("sd1.ldm", in: folder)
    let sdxl = try SparseCheckpoint.write("sdxl.sgm", in: folder)
    for (base, tuned, names) in [
      (sd1, sdxl, ["sd1", "sdxl"]), (sdxl, sd1, ["sdxl", "sd1"]),
    ] {
      let run = ToolRun(
        "lyco-extract", [base.string, tuned.string, "-o", folder.file("o.safetensors").string])
      #expect(run.status == 1)
      #expect(
        run.errors.hasPrefix("Error: \(tuned): expected a checkpoint of \(names[0]) ("),
        "\(run.errors)")
      #expect(run.errors.contains("found a checkpoint of \(names[1]) ("), "\(run.errors)")
      #expect(run.errors.split(separator: "\n").count == 1)
    }
  }

  /// The same of two adapters that are to be one.
  @Test func adaptersForTwoModelsAreToldApart() throws {
    let folder = TemporaryFolder()
    func write(_ file: String, _ list: String, width: Int) throws {
      let modules = try fixtureLines("families/\(list).txt").map { line in
        String(line.split(separator: " ")[0])
      }.filter { $0.hasPrefix("lora_unet") && $0.hasSuffix("attn2_to_k") }
      try #require(modules.count > 4)
      let tensors = modules.flatMap { module in
        [
          (module + ".lora_down.weight", [2, width]), (module + ".lora_up.weight", [320, 2]),
        ]
      }
      _ = try SparseCheckpoint.write(file, tensors, in: folder)
    }
    try write("a.safetensors", "lycoris.sdxl", width: 2048)
    try write("b.safetensors", "lycoris.sd1", width: 768)
    let run = ToolRun(
      "lyco-convert", ["a.safetensors", "b.safetensors", "-o", "o.safetensors"], in: folder.path)
    #expect(run.status == 1)
    #expect(
      run.errors.hasPrefix("Error: b.safetensors: expected an adapter for sdxl ("), "\(run.errors)")
    #expect(run.errors.contains("found an adapter for sd1 ("), "\(run.errors)")
    #expect(!run.errors.contains("--lenient"))
    #expect(!folder.entries.contains("o.safetensors"))
  }
}
