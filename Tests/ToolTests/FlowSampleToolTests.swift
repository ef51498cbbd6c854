import Foundation
import Images
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// The built tools draw with Flux.1 and Stable Diffusion 3, whose text encoders and autoencoder have files of their own.
@Suite(.serialized) struct FlowSampleToolTests {
  private static let flux = Fixtures.path("training/tiny-flux")

  private static let parts = [
    "--clip_l", flux.appending("clip_l.safetensors").string, "--t5xxl",
    flux.appending("t5xxl.safetensors").string, "--t5xxl_max_token_length", "16",
    "--ae", flux.appending("vae/ae.safetensors").string,
  ]

  private func sample(
    _ arguments: [String], in folder: borrowing TemporaryFolder, threads: Int = 1
  ) -> ToolRun {
    ToolRun(
      "lyco-sample",
      ["--base", Self.flux.appending("flux.safetensors").string] + Self.parts + [
        "--width", "64", "--height", "64", "--seed", "5", "--threads", "\(threads)",
      ] + arguments, in: folder.path)
  }

  private func parameters(of path: FilePath) throws -> String {
    let chunks = try #require(PNGChunks(contents(of: path)))
    return try #require(chunks.texts.first { $0.keyword == "parameters" }?.text)
  }

  private func pixels(_ path: FilePath) throws -> [UInt8] {
    try RasterImage(decoding: path).pixels
  }

  /// As sd-scripts draws where nobody says else: 20 steps, told 3.5, without a negative prompt.
  @Test func drawsWithFlux() throws {
    let folder = TemporaryFolder()
    let run = sample(["--prompt", "a photo of a bag", "-o", "a.png"], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    #expect(
      try parameters(of: folder.file("a.png")) == """
        a photo of a bag
        Steps: 20, Sampler: Euler, CFG scale: 1, Seed: 5, Size: 64x64, Model: flux, \
        Distilled CFG Scale: 3.5, VAE: ae, Version: lyco 1.0.0
        """)
    // The same command gives the same bytes, whatever the threads.
    let again = sample(["--prompt", "a photo of a bag", "-o", "b.png"], in: folder, threads: 2)
    #expect(again.status == 0, "\(again.errors)")
    #expect(try contents(of: folder.file("a.png")) == contents(of: folder.file("b.png")))
    // What the model is told and what it is drawn away from count.
    let first = try pixels(folder.file("a.png"))
    for (index, options) in [
      ["--guidance_scale", "1"], ["--scale", "2", "--negative_prompt", "a shoe"], ["--seed", "6"],
    ].enumerated() {
      let other = sample(
        ["--prompt", "a photo of a bag", "-o", "c\(index).png"] + options, in: folder)
      #expect(other.status == 0, "\(other.errors)")
      #expect(try pixels(folder.file("c\(index).png")) != first, "\(options)")
    }
  }

  /// Each in one line, which says what to do.
  @Test func whatIsMissingOrCannotBe() {
    let folder = TemporaryFolder()
    let base = ["--base", Self.flux.appending("flux.safetensors").string]
    let asked = ["--prompt", "a", "-o", "a.png", "--width", "64", "--height", "64"]
    for (arguments, says, status) in [
      (Array(Self.parts[2...]), "'--clip_l PATH'", Int32(1)),
      (Array(Self.parts[..<2] + Self.parts[4...]), "'--t5xxl PATH'", 1),
      (Array(Self.parts[..<6]), "give one with '--vae'", 1),
      (Self.parts + ["--sampler", "heun"], "cannot follow the flow", 64),
    ] {
      let run = ToolRun("lyco-sample", base + asked + arguments, in: folder.path)
      #expect(run.status == status, "\(arguments): \(run.errors)")
      #expect(run.errors.contains(says), "\(arguments): \(run.errors)")
    }
    #expect(folder.entries.isEmpty)
  }

  /// Sides are multiples of 16 pixels, which two by two places of the latents cover.
  @Test func sidesAreThoseOfTokens() {
    let folder = TemporaryFolder()
    let run = sample(["--prompt", "a --w 88 --h 64", "--dry_run"], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.contains("88x64 becomes 80x64: sides are multiples of 16"), "\(run.errors)")
    #expect(run.output.contains("scale 1.0, guidance 3.5"), "\(run.output)")
  }

  /// Of three encoders, one of which is read block by block; both halves of the guidance in one batch.
  @Test func drawsWithStableDiffusion3() throws {
    let folder = TemporaryFolder()
    let model = TextEncoderToolTests.Model.stableDiffusion3
    try TextEncoderToolTests.writeTokenizer(in: folder)
    func draw(_ name: String, _ options: [String] = []) -> ToolRun {
      ToolRun(
        "lyco-sample",
        [
          "--base",
          Fixtures.path("training/oracles/\(model.rawValue)/model.safetensors.zst").string,
          "--family", model.family, "--t5xxl_tokenizer", "spiece.model", "--width", "64",
          "--height", "64", "--steps", "4", "--seed", "5", "--threads", "1", "--prompt", "a bag",
          "-o", name,
        ] + model.options + TextEncoderToolTests.autoencoder + options, in: folder.path)
    }
    let run = draw("a.png")
    #expect(run.status == 0, "\(run.errors)")
    let text = try parameters(of: folder.file("a.png"))
    #expect(text.contains("Steps: 4, Sampler: Euler, CFG scale: 7.5, Seed: 5"), "\(text)")
    #expect(!text.contains("Distilled"), "\(text)")
    let negative = draw("b.png", ["--negative_prompt", "a shoe"])
    #expect(negative.status == 0, "\(negative.errors)")
    #expect(try pixels(folder.file("a.png")) != pixels(folder.file("b.png")))
    let told = draw("c.png", ["--guidance_scale", "2"])
    #expect(told.errors.contains("'--guidance_scale' has no effect"), "\(told.errors)")
    #expect(try contents(of: folder.file("a.png")) == contents(of: folder.file("c.png")))
    let large = draw("d.png", ["--width", "4096"])
    #expect(large.status == 64 && large.errors.contains("pixels at most"), "\(large.errors)")
  }

  /// The pictures of a run are those that the adapter draws that it saves.
  @Test func drawsWhileFluxIsTrained() throws {
    let folder = TemporaryFolder()
    let target = folder.file("images/1_bag")
    try FileManager.default.createDirectory(
      atPath: target.string, withIntermediateDirectories: true)
    let source = Fixtures.path("training/tiny/images/10_bag")
    for name in directoryEntries(source).filter({ $0.hasSuffix(".png") }).sorted().prefix(2) {
      try FileManager.default.copyItem(
        atPath: source.appending(name).string, toPath: target.appending(name).string)
    }
    try folder.write("prompts.txt", text: "a photo of a bag --w 64 --h 64 --s 4 --d 5")
    let run = ToolRun(
      "lyco-train",
      [
        "--pretrained_model_name_or_path", Self.flux.appending("flux.safetensors").string,
        "--train_data_dir", "images", "--resolution", "64", "--output_dir", "out",
        "--output_name", "bag", "--network_module", "networks.lora_flux", "--network_dim", "4",
        "--network_train_unet_only", "--learning_rate", "0.05", "--max_train_steps", "4",
        "--guidance_scale", "1", "--seed", "1", "--threads", "1", "--sample_prompts",
        "prompts.txt", "--sample_every_n_steps", "4", "--sample_at_first", "--quiet",
      ] + Self.parts, in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    let samples = directoryEntries(folder.file("out/sample")).sorted()
    #expect(samples.count == 2, "\(samples)")
    let drawn = try samples.map { try pixels(folder.file("out/sample/\($0)")) }
    // What is told in training is not what is told in pictures.
    let text = try parameters(of: folder.file("out/sample/\(samples[0])"))
    #expect(text.contains("CFG scale: 1, ") && text.contains("Distilled CFG Scale: 3.5"), "\(text)")
    for (index, adapters) in [["out/bag.safetensors"], []].enumerated() {
      let own = sample(
        adapters + ["--prompt", "a photo of a bag", "--steps", "4", "-o", "\(index).png"],
        in: folder)
      #expect(own.status == 0, "\(own.errors)")
      let found = try pixels(folder.file("\(index).png"))
      // First the pictures at first, by name; then those of the fourth step.
      let worst = drawn.map { zip($0, found).map { abs(Int($0) - Int($1)) }.max() ?? 255 }
      print("pictures while Flux.1 is trained and after it, adapters \(adapters): \(worst)")
      // Sums are rounded otherwise where the adapter is merged.
      #expect(worst.min() ?? 255 <= 1)
      #expect(worst.max() ?? 0 > 1)
    }
  }
}
