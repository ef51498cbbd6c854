import Foundation
import Glibc
import Machine
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// What tools do with the places that they are to write to.
@Suite struct OutputTests {
  private static func write(
    _ names: [String], in folder: borrowing TemporaryFolder
  ) throws {
    for (index, name) in names.enumerated() {
      try folder.write(
        name,
        [
          "lora_unet_a.lora_up.weight": EncodedTensor(
            Tensor(random: [4, 2], seed: UInt64(index)), as: .f32),
          "lora_unet_a.lora_down.weight": EncodedTensor(
            Tensor(random: [2, 3], seed: UInt64(index + 9)), as: .f32),
          "lora_unet_a.alpha": EncodedTensor(Tensor(scalar: 2), as: .f32),
        ])
    }
  }

  private static func writeCheckpoints(in folder: borrowing TemporaryFolder) throws {
    for (index, name) in ["base", "tuned", "third"].enumerated() {
      try folder.write(
        "\(name).safetensors",
        ["m.weight": EncodedTensor(Tensor(random: [8, 6], seed: UInt64(index)), as: .f32)])
    }
  }

  // MARK: Inputs

  struct Slip: Sendable, CustomTestStringConvertible {
    let tool: String
    let arguments: [String]
    let status: Int32
    var testDescription: String { "\(tool) \(arguments.joined(separator: " "))" }
  }

  static let slips = [
    Slip(
      tool: "lyco-extract",
      arguments: ["base.safetensors", "tuned.safetensors", "third.safetensors"],
      status: 64),
    Slip(
      tool: "lyco-extract",
      arguments: ["base.safetensors", "tuned.safetensors", "-o", "tuned.safetensors"], status: 1),
    Slip(
      tool: "lyco-extract",
      arguments: [
        "base.safetensors", "tuned.safetensors", "-o", "o.safetensors", "--report",
        "base.safetensors",
      ], status: 1),
    Slip(
      tool: "lyco-convert",
      arguments: ["a.safetensors", "b.safetensors", "-o", "b.safetensors"], status: 1),
    Slip(
      tool: "lyco-convert", arguments: ["a.safetensors", "-o", "link.safetensors"], status: 1),
    Slip(
      tool: "lyco-convert",
      arguments: ["a.safetensors", "b.safetensors", "--ema", "-o", "a.safetensors"], status: 1),
    Slip(
      tool: "lyco-convert",
      arguments: ["base.safetensors", "--save_precision", "bf16", "-o", "base.safetensors"],
      status: 1),
    Slip(
      tool: "lyco-merge", arguments: ["base.safetensors", "c.safetensors", "-o", "c.safetensors"],
      status: 1),
    Slip(
      tool: "lyco-merge",
      arguments: [
        "base.safetensors", "c.safetensors", "-o", "o.safetensors", "--report", "c.safetensors",
      ], status: 1),
  ]

  @Test(arguments: slips)
  func inputsAreReplacedOnlyWhereThatIsSaid(slip: Slip) throws {
    let folder = TemporaryFolder()
    try Self.writeCheckpoints(in: folder)
    try Self.write(["a.safetensors", "b.safetensors"], in: folder)
    try folder.write(
      "c.safetensors", ["m.diff": EncodedTensor(Tensor(random: [8, 6], seed: 4), as: .f32)])
    symlink("a.safetensors", folder.file("link.safetensors").string)
    let before = try FileTree(folder.path)
    let run = ToolRun(slip.tool, slip.arguments, in: folder.path)
    #expect(run.status == slip.status, "\(run.errors)")
    #expect(try FileTree(folder.path) == before)
    let meant = ToolRun(slip.tool, slip.arguments + ["--overwrite"], in: folder.path)
    #expect(meant.status == 0, "\(meant.errors)")
    #expect(try FileTree(folder.path) != before)
  }

  @Test func theBaseMayBeTheOutputOfAMerge() throws {
    let folder = TemporaryFolder()
    try Self.writeCheckpoints(in: folder)
    let change = Tensor(random: [8, 6], seed: 4)
    try folder.write("c.safetensors", ["m.diff": EncodedTensor(change, as: .f32)])
    let base = try TensorFile(opening: folder.file("base.safetensors")).tensors["m.weight"]!
      .tensor()
    let run = ToolRun(
      "lyco-merge", ["base.safetensors", "c.safetensors", "-o", "base.safetensors"], in: folder.path
    )
    #expect(run.status == 0, "\(run.errors)")
    let merged = try TensorFile(opening: folder.file("base.safetensors"))
    #expect(
      merged.tensors["m.weight"]!.tensor().elements == zip(base.elements, change.elements).map(+))
  }

  // MARK: Folders

  @Test(arguments: ["new/", "there", "deep/er/new/"])
  func aFolderTakesInputsOneByOne(output: String) throws {
    let folder = TemporaryFolder()
    try Self.write(["a.safetensors", "b.safetensors"], in: folder)
    mkdir(folder.file("there").string, 0o700)
    let run = ToolRun(
      "lyco-convert",
      ["a.safetensors", "b.safetensors", "--save_precision", "fp16", "-o", output], in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(directoryEntries(folder.file(output)) == ["a.safetensors", "b.safetensors"])
    for name in ["a.safetensors", "b.safetensors"] {
      let before = try TensorFile(opening: folder.file(name)).contents
      let after = try TensorFile(opening: folder.file(output).appending(name)).contents
      let expected = before.map { key, tensor in
        // Alphas keep the format they have.
        (key, key.hasSuffix(".alpha") ? tensor : EncodedTensor(tensor.decoded(), as: .f16))
      }
      #expect(after == Dictionary(uniqueKeysWithValues: expected))
    }
  }

  @Test(arguments: [["--combine", "concat"], ["--ratio", "0.5"]])
  func aSumNeedsTheNameOfAFile(flags: [String]) throws {
    let folder = TemporaryFolder()
    try Self.write(["a.safetensors", "b.safetensors"], in: folder)
    let inputs = ["a.safetensors", "b.safetensors"] + flags
    let refused = ToolRun("lyco-convert", inputs + ["-o", "new/"], in: folder.path)
    #expect(refused.status == 64)
    #expect(refused.errors.contains("expected the name of a file"), "\(refused.errors)")
    #expect(folder.entries == ["a.safetensors", "b.safetensors"])
    let done = ToolRun("lyco-convert", inputs + ["-o", "new.safetensors"], in: folder.path)
    #expect(done.status == 0, "\(done.errors)")
  }

  @Test func aFolderThatWasMadeForNothingGoesAgain() throws {
    let folder = TemporaryFolder()
    try Self.writeCheckpoints(in: folder)
    let run = ToolRun(
      "lyco-extract",
      [
        "base.safetensors", "base.safetensors", "-o", "deep/er/o.safetensors", "--report",
        "r/r.json",
      ],
      in: folder.path)
    #expect(run.status == 1)
    #expect(folder.entries == ["base.safetensors", "third.safetensors", "tuned.safetensors"])
  }

  @Test func namesTheIndexOfShards() throws {
    let folder = TemporaryFolder()
    try Self.writeCheckpoints(in: folder)
    let run = ToolRun(
      "lyco-convert",
      ["base.safetensors", "tuned.safetensors", "--ratio", "0.5", "0.5", "-o", "o.safetensors"],
      in: folder.path)
    #expect(run.output.hasPrefix("o.safetensors: "), "\(run.output)\(run.errors)")
    try folder.write(
      "two.safetensors",
      [
        "m.weight": EncodedTensor(Tensor(random: [8, 6], seed: 1), as: .f32),
        "n.weight": EncodedTensor(Tensor(random: [8, 6], seed: 2), as: .f32),
      ])
    let split = ToolRun(
      "lyco-convert", ["two.safetensors", "--shard_size", "200", "-o", "s.safetensors"],
      in: folder.path)
    #expect(split.output.hasPrefix("s.safetensors.index.json: "), "\(split.output)\(split.errors)")
  }

  // MARK: Devices and streams

  /// A FIFO stands for every kind of file that is not to be replaced.
  @Test func reportsAreWrittenThroughPipes() throws {
    let folder = TemporaryFolder()
    try Self.writeCheckpoints(in: folder)
    mkfifo(folder.file("pipe").string, 0o600)
    let reader = Process()
    reader.executableURL = URL(filePath: "/bin/sh")
    reader.arguments = ["-c", "cat pipe > seen"]
    reader.currentDirectoryURL = URL(filePath: folder.path.string)
    try reader.run()
    let run = ToolRun(
      "lyco-extract",
      ["base.safetensors", "tuned.safetensors", "-o", "o.safetensors", "--report", "pipe"],
      in: folder.path)
    reader.waitUntilExit()
    #expect(run.status == 0, "\(run.errors)")
    #expect(folder.file("pipe").kind == .fifo)
    #expect(String(decoding: try contents(of: folder.file("seen")), as: UTF8.self).hasPrefix("{"))
  }

  @Test func aLateFailureDoesNotHideTheOutput() throws {
    let folder = TemporaryFolder()
    try Self.writeCheckpoints(in: folder)
    let run = ToolRun(
      "lyco-extract",
      ["base.safetensors", "tuned.safetensors", "-o", "o.safetensors", "--report", "/dev/full"],
      in: folder.path)
    #expect(run.status == 1)
    #expect(
      run.errors
        == "Error: /dev/full: cannot write: no space left on device; o.safetensors is written\n")
    #expect(folder.entries.contains("o.safetensors"))
  }

  static let streams: [(redirection: String, status: Int32)] = [
    (">/dev/full", 1), (">&-", 1), ("| true", 0), (">/dev/null", 0),
  ]

  @Test(
    arguments: [
      "lyco-inspect base.safetensors", "lyco-merge --help", "lyco-inspect --json base.safetensors",
    ],
    streams)
  func lostResultsAreAnError(command: String, stream: (redirection: String, status: Int32)) throws {
    let folder = TemporaryFolder()
    try Self.writeCheckpoints(in: folder)
    let shell = Process()
    shell.executableURL = URL(filePath: "/bin/sh")
    let tools = ToolRun.executable("lyco-inspect").deletingLastPathComponent().path
    shell.arguments = ["-c", "\(tools)/\(command) \(stream.redirection) 2> errors"]
    shell.currentDirectoryURL = URL(filePath: folder.path.string)
    try shell.run()
    shell.waitUntilExit()
    #expect(shell.terminationStatus == stream.status)
    let errors = String(decoding: try contents(of: folder.file("errors")), as: UTF8.self)
    #expect(errors.split(separator: "\n").count == (stream.status == 0 ? 0 : 1), "\(errors)")
  }
}
