import Foundation
import Images
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// The built tool on the small pipelines of the fixtures.
@Suite struct SampleToolTests {
  private static let base = Fixtures.path("training/tiny").string
  /// What all pictures here are drawn with: small ones, in few steps.
  private static let short = [
    "--width", "64", "--height", "64", "--steps", "3", "--seed", "5", "--threads", "1",
  ]

  func sample(_ arguments: [String], in folder: borrowing TemporaryFolder) -> ToolRun {
    ToolRun(
      "lyco-sample", ["--base", Self.base] + Self.short + arguments, in: folder.path)
  }

  /// An adapter of one layer of the UNet, strong enough to be seen.
  @discardableResult
  func writeAdapter(
    _ name: String, in folder: borrowing TemporaryFolder, of module: String? = nil
  ) throws -> FilePath {
    let layer = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v"
    let tensors = try TensorFile(opening: FilePath(Self.base)).tensors
    let shape = try #require(tensors["unet/\(layer).weight"]).shape
    let key = module ?? "lora_unet_\(layer.replacing(".", with: "_"))"
    let up = Tensor([shape.rows, 1], (0..<shape.rows).map { $0 % 2 == 0 ? 1 : -1 })
    let down = Tensor([1, shape.columns], (0..<shape.columns).map { $0 % 3 == 0 ? 1 : -0.5 })
    return try folder.write(
      "\(name).safetensors",
      [
        "\(key).lora_up.weight": EncodedTensor(up, as: .f32),
        "\(key).lora_down.weight": EncodedTensor(down, as: .f32),
      ])
  }

  private func parameters(of path: FilePath) throws -> String? {
    let chunks = try #require(PNGChunks(contents(of: path)))
    return chunks.texts.first { $0.keyword == "parameters" }?.text
  }

  func pixels(_ path: FilePath) throws -> [UInt8] { try RasterImage(decoding: path).pixels }

  @Test func drawsAPictureThatSaysHow() throws {
    let folder = TemporaryFolder()
    let arguments = [
      "--prompt", "a photo of a bag --l 5", "--negative_prompt", "blurry", "--sampler", "Euler a",
    ]
    let run = sample(arguments + ["-o", "a.png"], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.contains("a.png: 1 picture, seed 5"), "\(run.output)")
    #expect(folder.entries == ["a.png"])
    let header = try ImageHeader(reading: folder.file("a.png"))
    #expect((header.width, header.height) == (64, 64))
    #expect(
      try parameters(of: folder.file("a.png")) == """
        a photo of a bag
        Negative prompt: blurry
        Steps: 3, Sampler: Euler a, CFG scale: 5, Seed: 5, Size: 64x64, Model: tiny, Version: lyco 1.0.0
        """)
    // The same command gives the same bytes, whatever the threads, and takes the file's place.
    let first = try contents(of: folder.file("a.png"))
    let again = ToolRun(
      "lyco-sample",
      ["--base", Self.base] + Self.short.dropLast(2) + ["--threads", "2"] + arguments
        + ["-o", "a.png"], in: folder.path)
    #expect(again.status == 0, "\(again.errors)")
    #expect(try contents(of: folder.file("a.png")) == first)
  }

  /// Picture k is that of seed + k by itself.
  @Test func picturesOfABatchAreThoseOfTheirSeeds() throws {
    let folder = TemporaryFolder()
    let run = sample(["--prompt", "a bag", "--batch", "3", "-o", "out/"], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    #expect(
      directoryEntries(folder.file("out")).sorted() == [
        "sample-000.png", "sample-001.png", "sample-002.png",
      ])
    let alone = sample(["--prompt", "a bag", "--seed", "7", "-o", "alone.png"], in: folder)
    #expect(alone.status == 0, "\(alone.errors)")
    let third = try contents(of: folder.file("out/sample-002.png"))
    #expect(try contents(of: folder.file("alone.png")) == third)
    // What is there already stays.
    let refused = sample(["--prompt", "a bag", "--batch", "2", "-o", "out/"], in: folder)
    #expect(refused.status == 64)
    #expect(
      refused.errors.contains("out/sample-000.png: it is there already; '--overwrite' replaces it"))
    let numbered = sample(["--prompt", "a bag", "--batch", "2", "-o", "x.png"], in: folder)
    #expect(numbered.status == 0, "\(numbered.errors)")
    #expect(folder.entries.contains("x-001.png") && !folder.entries.contains("x.png"))
  }

  /// As with a checkpoint that lyco-merge wrote.
  @Test func adaptersAreThoseOfMerge() throws {
    let folder = TemporaryFolder()
    try writeAdapter("style", in: folder)
    let merged = ToolRun(
      "lyco-merge",
      [
        Self.base, "style.safetensors", "--ratio", "0.6", "-o", "merged", "--save_precision",
        "fp32",
      ], in: folder.path)
    #expect(merged.status == 0, "\(merged.errors)")
    let own = sample(
      ["style.safetensors", "--ratio", "0.6", "--prompt", "a bag", "-o", "own.png"], in: folder)
    #expect(own.status == 0, "\(own.errors)")
    let other = ToolRun(
      "lyco-sample",
      ["--base", "merged"] + Self.short + ["--prompt", "a bag", "-o", "merged.png"],
      in: folder.path)
    #expect(other.status == 0, "\(other.errors)")
    let plain = sample(["--prompt", "a bag", "-o", "plain.png"], in: folder)
    #expect(plain.status == 0, "\(plain.errors)")
    let (a, b) = (try pixels(folder.file("own.png")), try pixels(folder.file("merged.png")))
    let worst = zip(a, b).map { abs(Int($0) - Int($1)) }.max() ?? 255
    #expect(worst <= 1, "\(worst)")
    #expect(try pixels(folder.file("plain.png")) != a)
    let text = try #require(try parameters(of: folder.file("own.png")))
    #expect(text.hasPrefix("a bag <lora:style:0.6>\n"), "\(text)")
    #expect(text.contains("Lora hashes: \"style: "), "\(text)")
  }

  @Test func previewsGoWithThePicture() throws {
    let folder = TemporaryFolder()
    let run = sample(["--prompt", "a bag", "-o", "a.png", "--preview", "1"], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    #expect(folder.entries == ["a.png"])
  }

  /// Sizes are those that the model draws; what has no effect is said.
  @Test func noticesWhatIsDrawnOtherwise() throws {
    let folder = TemporaryFolder()
    let run = sample(
      [
        "--prompt", "a bag <lora:x:1> --w 70 --h 20 --cn pose.png", "-o", "a.png", "--clip_skip",
        "1",
      ], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.contains("'--prompt': 70x20 becomes 64x64"), "\(run.errors)")
    #expect(run.errors.contains("'--cn' has no effect"), "\(run.errors)")
    #expect(run.errors.contains("'<lora:…>' is read as text"), "\(run.errors)")
  }

  @Test(arguments: [
    (["--prompt", "a"], "expected an output", 64),
    (["-o", "a.png"], "expected something to draw", 64),
    (["--prompt", "a", "-o", "a.jpg"], "expected the name of a PNG file", 64),
    (["--prompt", "a", "--grid", "a.jpg"], "expected the name of a PNG file", 64),
    (["--prompt", "a", "-o", "a.png", "--sampler", "eulr"], "did you mean 'euler'", 64),
    (["--prompt", "a --q 3", "-o", "a.png"], "'--prompt': unknown option '--q'", 64),
    (["--prompt", "a --ss pndm --s 3", "-o", "a.png"], "expected 4 to 1000 steps", 64),
    (["--prompt", "a", "-o", "a.png", "--steps", "0"], "expected a number from 1 to 1000", 64),
    (["--prompt", "a", "-o", "a.png", "--clip_skip", "99"], "'--clip_skip': expected 1 to", 64),
    (["--prompt", "a", "-o", "a.png", "--ratio", "1"], "are of adapters", 64),
    (["--prompt", "a", "-o", "a.png", "--zero_terminal_snr"], "zero terminal SNR", 64),
    (["--prompt", "a", "-o", "a.png", "--seed", "-2"], "or -1 for one that is drawn", 64),
    (["--prompts", "none.txt", "-o", "a.png"], "none.txt", 1),
    (["none.safetensors", "--prompt", "a", "-o", "a.png"], "none.safetensors", 1),
    (["--vae", "none", "--prompt", "a", "-o", "a.png"], "none", 1),
    (["other.safetensors", "--prompt", "a", "-o", "a.png"], "have no place in the checkpoint", 1),
    (
      ["--base", "ddpm", "--prompt", "a", "-o", "a.png"],
      "Stable Diffusion 1.x, Stable Diffusion 2.x, Stable Diffusion XL, found", 1
    ),
    (
      ["--base", "wan", "--family", "wan", "--prompt", "a", "-o", "a.png"], "found one of Wan", 1
    ),
    (
      ["--base", "no-vae", "--prompt", "a", "-o", "a.png"],
      "no image autoencoder with a decoder in the checkpoint; give one with '--vae'", 1
    ),
  ])
  func refuses(arguments: [String], says: String, status: Int32) throws {
    let folder = TemporaryFolder()
    try writeAdapter("other", in: folder, of: "lora_unet_no_such_layer")
    let fixtures = FileManager.default
    for (name, source) in [
      ("ddpm", "real/fashion-ddpm/base.safetensors"), ("wan", "training/tiny-wan"),
    ] {
      try fixtures.createSymbolicLink(
        atPath: folder.file(name).string, withDestinationPath: Fixtures.path(source).string)
    }
    try fixtures.createDirectory(
      atPath: folder.file("no-vae").string, withIntermediateDirectories: true)
    for part in ["unet", "text_encoder", "model_index.json"] {
      try fixtures.createSymbolicLink(
        atPath: folder.file("no-vae/\(part)").string, withDestinationPath: "\(Self.base)/\(part)")
    }
    let before = folder.entries
    let run = ToolRun(
      "lyco-sample",
      (arguments.contains("--base") ? [] : ["--base", Self.base]) + arguments, in: folder.path)
    #expect(run.status == status, "\(run.errors)")
    #expect(run.errors.contains(says), "\(run.errors)")
    let lines = run.errors.split(separator: "\n").filter {
      !$0.hasPrefix("note: ") && !$0.hasPrefix("Usage: ") && !$0.hasPrefix("  See ")
    }
    #expect(lines.count == 1, "\(run.errors)")
    #expect(folder.entries == before)
  }

  /// Ctrl-C leaves whole pictures alone.
  @Test func interruptsBetweenSteps() throws {
    let folder = TemporaryFolder()
    let process = Process()
    process.executableURL = ToolRun.executable("lyco-sample")
    process.arguments =
      ["--base", Self.base] + Self.short
      + ["--steps", "40", "--prompt", "a bag", "--batch", "1000", "-o", "out/", "--preview", "2"]
    process.currentDirectoryURL = URL(filePath: folder.path.string)
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.runHearingInterrupts()
    let second = folder.file("out/sample-001.png").string
    while process.isRunning, !FileManager.default.fileExists(atPath: second) { usleep(5000) }
    process.interrupt()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 130, "\(text)")
    #expect(text.contains("interrupted; "), "\(text)")
    #expect(text.contains(" of 1000 outputs are written"), "\(text)")
    let names = directoryEntries(folder.file("out")).sorted()
    #expect(
      names.count > 1 && names.allSatisfy { $0.hasPrefix("sample-") && !$0.contains("preview") })
    for name in names { #expect(try pixels(folder.file("out/\(name)")).count == 64 * 64 * 3) }

    // With none there is nothing, the folder included.
    let none = ToolRun(
      "lyco-sample",
      ["--base", Self.base, "--prompt", "a", "-o", "none/", "--clip_skip", "99"], in: folder.path)
    #expect(none.status == 64)
    #expect(!FileManager.default.fileExists(atPath: folder.file("none").string))
  }

  /// A picture that there is no room for is said before a weight is read, and leaves nothing.
  @Test(arguments: ["-o out.png", "--dry_run"]) func tooLargePicturesAreSaid(output: String) throws
  {
    let folder = TemporaryFolder()
    let run = try ShellRun(
      "ulimit -v 8000000; exec $B/lyco-sample --base '\(Self.base)' --prompt a --width 16384 "
        + "--height 16384 \(output)", in: folder.path)
    #expect(run.status == 1, "\(run.errors)")
    #expect(
      run.errors.contains("Error: a picture of 16384x16384 needs about ")
        && run.errors.contains(" GB of memory, "), "\(run.errors)")
    #expect(folder.entries.isEmpty)
  }

  /// Every family that is drawn.
  @Test(arguments: ["sd1", "sd2", "sdxl"]) func families(name: String) throws {
    let folder = TemporaryFolder()
    let base = try TinyPipeline("tiny-\(name)").writeWholeVocabulary(in: folder)
    let run = ToolRun(
      "lyco-sample",
      ["--base", base.string] + Self.short
        + ["--prompt", "a (red:1.2) bag", "-o", "a.png", "--mixed_precision", "bf16"],
      in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(Set(try pixels(folder.file("a.png"))).count > 16)
  }
}
