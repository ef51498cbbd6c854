import Pipelines
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Caches that cannot be trained with: one line that says which file, what was expected and found, and what mends
/// it, before anything is computed. Nothing is left behind.
struct PreparedErrorTests {
  private func check(
    _ folder: borrowing PreparedFolder, _ file: FilePath, _ model: PreparedModel? = nil,
    is expected: String
  ) throws {
    let model = try model ?? .wan()
    let before = folder.folder.entries + directoryEntries(folder.folder.file("cache"))
    #expect(folder.message { _ = try model.set(file) } == expected)
    #expect(folder.folder.entries + directoryEntries(folder.folder.file("cache")) == before)
  }

  private static let latents = "make it anew with musubi-tuner's 'wan_cache_latents.py'"
  private static let texts = "make it anew with musubi-tuner's 'wan_cache_text_encoder_outputs.py'"
  private static let item = "FOLDER/cache/a_0048x0032_wan.safetensors"
  private static let text = "FOLDER/cache/a_wan_te.safetensors"

  @Test func otherArchitecture() throws {
    let folder = PreparedFolder()
    try folder.latents("a_0048x0032", [16, 1, 4, 6], metadata: ["architecture": "hunyuan_video"])
    try folder.text("a")
    try check(
      folder, try folder.configuration(),
      is: "\(Self.item): expected a cache for 'wan', found one for 'hunyuan_video'; \(Self.latents)"
    )
    try folder.image("a")
    try folder.text("a", architecture: "qwen_image")
    try check(
      folder, try folder.configuration(),
      is: "\(Self.text): expected a cache for 'wan', found one for 'qwen_image'; \(Self.texts)")
  }

  @Test func otherVersion() throws {
    let folder = PreparedFolder()
    try folder.latents("a_0048x0032", [16, 1, 4, 6], metadata: ["format_version": "2.0"])
    try check(
      folder, try folder.configuration(),
      is: "\(Self.item): expected format_version 1, found '2.0'; \(Self.latents)")
  }

  @Test func otherResolution() throws {
    let folder = PreparedFolder()
    try folder.image("a")
    try check(
      folder, try folder.configuration(resolution: "[64, 48]"),
      is:
        "\(Self.item): expected latents [16, 1, 6, 8] of 64x48, which 'resolution' 64x48 makes of 48x32, found "
        + "[16, 1, 4, 6] of 48x32; give the resolution that it was cached with, or make it anew with musubi-tuner's "
        + "'wan_cache_latents.py'")
    // Frames are in the name.
    try folder.latents("v_00000-009_0048x0032", [16, 2, 4, 6])
    try folder.text("v")
    let text = folder.message {
      _ = try PreparedModel.wan().set(try folder.configuration(of: "video_directory"))
    }
    #expect(
      text.contains(
        "expected latents [16, 3, 4, 6] of 48x32x9, which 'resolution' 48x32 makes of 48x32, found [16, 2, 4, 6] of "
          + "48x32x5"), "\(text)")
  }

  @Test func withoutText() throws {
    let folder = PreparedFolder()
    try folder.latents("a_0048x0032", [16, 1, 4, 6])
    try check(
      folder, try folder.configuration(),
      is:
        "\(Self.item): expected the text cache \(Self.text) beside it, found none; make it with musubi-tuner's "
        + "'wan_cache_text_encoder_outputs.py'")
  }

  @Test func videosAmongImages() throws {
    let folder = PreparedFolder()
    try folder.latents("a_00000-001_0048x0032", [16, 1, 4, 6])
    try folder.text("a")
    let text = folder.message { _ = try PreparedModel.wan().set(try folder.configuration()) }
    #expect(text.hasSuffix("it is of a video: name the folder of videos by 'video_directory'"))
    try folder.image("b")
    let other = folder.message {
      _ = try PreparedModel.wan().set(try folder.configuration(of: "video_directory"))
    }
    #expect(
      other
        == "FOLDER/cache/b_0048x0032_wan.safetensors: expected a name '{stem}_{position}-{count}_{width}x{height}"
        + "_wan.safetensors', as a cache of a video has, found another; name the folder of its image by "
        + "'image_directory', in a dataset of its own")
  }

  @Test(arguments: [7, 40, 300])
  func cutShort(_ length: Int) throws {
    let folder = PreparedFolder()
    try folder.image("a")
    let path = folder.folder.file("cache/a_0048x0032_wan.safetensors")
    let file = try FileDescriptor.open(path, .readWrite)
    try file.closeAfter { try file.resize(to: Int64(length)) }
    let text = folder.message { _ = try PreparedModel.wan().set(try folder.configuration()) }
    #expect(text.hasPrefix("\(Self.item): ") && text.hasSuffix("; \(Self.latents)"), "\(text)")
  }

  @Test func otherChannels() throws {
    let folder = PreparedFolder()
    try folder.latents("a_0048x0032", [4, 1, 4, 6])
    try check(
      folder, try folder.configuration(),
      is:
        "\(Self.item): expected latents of 16 channels, as the model has them, found 4 in 'latents_1x4x6_bfloat16' "
        + "[4, 1, 4, 6]; \(Self.latents)")
  }

  /// A token is made of two by two places of latents: pictures that were cached without buckets may have odd ones.
  @Test(arguments: [("[56, 32]", "0056x0032", [4, 7]), ("[48, 40]", "0048x0040", [5, 6])])
  func oddSides(resolution: String, size: String, sides: [Int]) throws {
    let folder = PreparedFolder()
    let shape = Shape([16, 1] + sides)
    try folder.latents("a_\(size)", shape)
    try folder.text("a")
    let pixels = "\(sides[1] * 8)x\(sides[0] * 8)"
    try check(
      folder, try folder.configuration(resolution: resolution),
      is:
        "FOLDER/cache/a_\(size)_wan.safetensors: expected latents whose sides are multiples of 2, found \(shape) of "
        + "\(pixels); make it anew with 'enable_bucket = true', or with a 'resolution' of multiples of 16, and "
        + "musubi-tuner's 'wan_cache_latents.py'")
  }

  /// Latents of videos have an axis of frames, also those of a picture.
  @Test func withoutFrames() throws {
    let folder = PreparedFolder()
    try folder.latents("a_0048x0032", [16, 4, 6])
    try folder.text("a")
    try check(
      folder, try folder.configuration(),
      is:
        "\(Self.item): expected latents [channels, frames, height, width] in 'latents_4x6_bfloat16', found "
        + "[16, 4, 6]; \(Self.latents)")
  }

  @Test func withoutLatents() throws {
    let folder = PreparedFolder()
    try folder.folder.write(
      "cache/a_0048x0032_wan.safetensors",
      ["latents_image_1x4x6_bfloat16": .init(Tensor(zeros: [16, 1, 4, 6]), as: .bf16)])
    try check(
      folder, try folder.configuration(),
      is:
        "\(Self.item): expected latents 'latents_{frames}x{height}x{width}_{dtype}', found arrays "
        + "'latents_image_1x4x6_bfloat16'; \(Self.latents)")
    try folder.latents("a_0048x0032", [16, 24])
    let text = folder.message { _ = try PreparedModel.wan().set(try folder.configuration()) }
    #expect(
      text.contains("expected latents [channels, frames, height, width] in 'latents_24_bfloat16'")
        || text.contains("expected latents 'latents_{frames}"), "\(text)")
  }

  @Test func otherTextEncoder() throws {
    let folder = PreparedFolder()
    try folder.image("a")
    try folder.text("a", width: 24)
    try check(
      folder, try folder.configuration(),
      is:
        "\(Self.text): expected array 't5' [any, 16], as the model reads it, found [4, 24]; \(Self.texts)"
    )
  }

  /// An array that is made on demand: the command is said with what asks for it.
  @Test func missingArrays() throws {
    let folder = PreparedFolder()
    try folder.image("a")
    try check(
      folder, try folder.configuration(),
      try .wan([.latents("latents_image", channels: 20, option: "--i2v")]),
      is:
        "\(Self.item): expected array 'latents_image' [20, 1, 4, 6], found arrays 'latents_1x4x6_bfloat16'; make it "
        + "anew with musubi-tuner's 'wan_cache_latents.py --i2v'")
    try check(
      folder, try folder.configuration(), try .wan([.text("clip", [4])]),
      is:
        "\(Self.text): expected array 'clip' [4], found arrays 'varlen_t5_bfloat16'; \(Self.texts)"
    )
    // It is held to the extents of the latents.
    try folder.latents(
      "a_0048x0032", [16, 1, 4, 6],
      more: ["latents_image_1x4x4_bfloat16": Tensor(zeros: [20, 1, 4, 4])])
    try check(
      folder, try folder.configuration(),
      try .wan([.latents("latents_image", channels: 20)]),
      is:
        "\(Self.item): expected array 'latents_image' [20, 1, 4, 6], as the model reads it, found [20, 1, 4, 4]; "
        + Self.latents)
  }

  /// Numbers are looked at when they are read.
  @Test func notFinite() throws {
    let folder = PreparedFolder()
    try folder.image("a", value: .nan)
    let model = try PreparedModel.wan()
    let set = try model.set(try folder.configuration())
    #expect(
      folder.message { _ = try model.batches(of: set) }
        == "\(Self.item): expected finite numbers in 'latents_1x4x6_bfloat16', found NaN or infinity; \(Self.latents)"
    )
    try folder.image("a")
    try folder.folder.write(
      "cache/a_wan_te.safetensors",
      [
        "varlen_t5_float32": .init(
          Tensor([1, 16], Array(repeating: .infinity, count: 16)), as: .f32)
      ])
    #expect(
      folder.message { _ = try model.batches(of: set) }
        == "\(Self.text): expected finite numbers in 'varlen_t5_float32', found NaN or infinity; \(Self.texts)"
    )
  }

  /// A file that is replaced while a run goes on.
  @Test func changed() throws {
    let folder = PreparedFolder()
    try folder.image("a")
    let model = try PreparedModel.wan()
    let set = try model.set(try folder.configuration())
    try folder.latents("a_0048x0032", [16, 1, 8, 6])
    #expect(
      folder.message { _ = try model.batches(of: set) }
        == "\(Self.item): expected latents [16, 1, 4, 6] as when the run began, found [16, 1, 8, 6]; \(Self.latents)"
    )
  }

  @Test func emptyFolders() throws {
    let folder = PreparedFolder()
    let file = try folder.configuration()
    try check(
      folder, file, is: "FOLDER/cache: expected the folder of 'cache_directory', found none")
    try folder.text("a")
    let rest =
      "make them with musubi-tuner's 'wan_cache_latents.py', or name their folder by 'cache_directory'"
    try check(
      folder, file,
      is: "FOLDER/cache: expected caches of latents '*_wan.safetensors', found none; \(rest)")
    try folder.folder.write("cache/a_0048x0032_hv.safetensors", text: "")
    try folder.folder.write("cache/b_00000-005_0048x0032_fp.safetensors", text: "")
    try check(
      folder, file,
      is:
        "FOLDER/cache: expected caches of latents '*_wan.safetensors', found those of other models, 'fp', 'hv'; "
        + rest)
    try folder.folder.write("cache/lora_wan.safetensors", text: "")
    try check(
      folder, file,
      is:
        "FOLDER/cache/lora_wan.safetensors: expected a name '{stem}_{width}x{height}_wan.safetensors', as a cache "
        + "of an image has, found another; keep other files elsewhere")
  }

  @Test func severalFaults() throws {
    let folder = PreparedFolder()
    for stem in ["a", "b", "c", "d", "e"] {
      try folder.latents("\(stem)_0048x0032", [16, 1, 4, 6])
    }
    try folder.text("e")
    let text = folder.message { _ = try PreparedModel.wan().set(try folder.configuration()) }
    #expect(text.hasPrefix("4 caches cannot be used: \(Self.item): expected the text cache"))
    #expect(text.hasSuffix("; and 1 more"), "\(text)")
  }
}
