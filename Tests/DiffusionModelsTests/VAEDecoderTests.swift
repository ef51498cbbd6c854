import Autograd
import Checkpoints
import DiffusionModels
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Pipelines

/// Against diffusers in double precision; `scripts/fixtures/training/make-decoder-fixtures.py` wrote what it makes.
@Suite struct VAEDecoderTests {
  static let extents = ["1x1", "5x7", "13x3"]
  /// Sums of some hundred products of f32 in some forty layers.
  static let tolerance = 1e-5

  static func golden(_ name: String) throws -> [String: EncodedTensor] {
    try TensorFile(
      opening: Fixtures.path("training/models/decoders/\(name).golden.safetensors")
    ).contents
  }

  static func decoder(_ name: String, _ compute: ComputeType = .f32) throws -> any LatentDecoder {
    let path = TinyPipeline(name).folder
    var settings = ModelSettings(base: path)
    settings.compute = compute
    let (base, pipeline) = try ModelPipelines.open(path, as: nil)
    return try #require(try pipeline.decoder(of: base, settings))
  }

  @Test(arguments: ["tiny-sd1", "tiny-sd2", "tiny-sdxl"])
  func picturesAreThoseOfDiffusers(name: String) throws {
    let decoder = try Self.decoder(name)
    let golden = try TinyPipeline(name).golden()
    let decoded = try decoder.decode(#require(golden.tensors["vae.latents"]).tensor())
    let expected = try #require(golden.tensors["vae.decoded"]).tensor()
    expectClose(decoded, expected, tolerance: Self.tolerance, "\(name) 6x8")
    var worst = relativeError(decoded, expected)
    let odd = try Self.golden(name)
    for extents in Self.extents {
      let expected = try #require(odd[extents + ".decoded"]).decoded()
      let decoded = try decoder.decode(#require(odd[extents + ".latents"]).decoded())
      expectClose(decoded, expected, tolerance: Self.tolerance, "\(name) \(extents)")
      worst = max(worst, relativeError(decoded, expected))
    }
    print(name, "decoded, relative error", worst)
  }

  /// An autoencoder as in Flux and Stable Diffusion 3, by diffusers' names.
  static let sixteenChannels = Fixtures.path("training/models/decoders/tiny-flux")

  /// The same by the original names.
  static func writeOriginal(in folder: borrowing TemporaryFolder) throws -> FilePath {
    let weights = try TensorFile(opening: sixteenChannels)
    var original: [String: EncodedTensor] = [:]
    for line in try fixtureLines("training/models/decoders/tiny-flux/original.txt") {
      let columns = line.split(separator: "\t").map(String.init)
      let stored = try #require(weights.tensors[columns[2]]).stored
      original[columns[0]] = EncodedTensor(
        stored.dtype, Shape(columns[1].split(separator: "x").map { Int($0)! }), stored.bytes)
    }
    return try folder.write("ae.safetensors", original)
  }

  /// As in Flux and Stable Diffusion 3: 16 channels, no convolution before the decoder; by diffusers' names and
  /// by the original ones.
  @Test func sixteenChannels() throws {
    let folder = TemporaryFolder()
    let single = try Self.writeOriginal(in: folder)
    let family = try #require(ModelFamily.named("flux"))
    let golden = try Self.golden("tiny-flux")
    for path in [Self.sixteenChannels, single] {
      let decoder = try VAEDecoder(
        CheckpointParameters(BaseModel(opening: path, as: family)),
        configuration: VAEConfiguration(groups: 4), channels: 16, compute: .f32)
      #expect(decoder.stride == 8)
      for extents in Self.extents {
        expectClose(
          try decoder.decode(#require(golden[extents + ".latents"]).decoded()),
          try #require(golden[extents + ".decoded"]).decoded(), tolerance: Self.tolerance,
          "\(path) \(extents)")
      }
    }
  }

  /// The factors have 8 bits.
  @Test(arguments: ["tiny-sd1", "tiny-sdxl"])
  func inBF16(name: String) throws {
    let golden = try TinyPipeline(name).golden()
    let expected = try #require(golden.tensors["vae.decoded"]).tensor()
    let decoded = try Self.decoder(name, .bf16).decode(
      #require(golden.tensors["vae.latents"]).tensor())
    let error = relativeError(decoded, expected)
    print(name, "decoded in bf16, relative error", error)
    #expect(error < 0.02 && error > 1e-5)
  }

  /// A single file, diffusers' names of before 0.18, and a file of its own, give the same bits.
  @Test(arguments: ["tiny-sd1", "tiny-sd2", "tiny-sdxl"])
  func spellings(name: String) throws {
    let pipeline = TinyPipeline(name)
    let folder = TemporaryFolder()
    let whole = try StableDiffusionModel(opening: pipeline.folder)
    let latents = Tensor(random: [1, 3, 2, 4], seed: 3)
    let expected = try #require(try Self.decode(latents, whole.base, nil))
    let single = try BaseModel(
      opening: try pipeline.writeSingleFile(in: folder), as: whole.family)
    #expect(
      try #require(
        try Autoencoder(of: single, nil, whole.configuration.vae)?.decoder(compute: .f32)
      ).decode(latents) == expected)
    let before = [
      ".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn.",
    ]
    let old = try pipeline.writeFolder(in: folder) { key, tensor in
      guard key.hasPrefix("vae/") else { return (key, tensor) }
      return (before.reduce(key) { $0.replacing($1.key, with: $1.value) }, tensor)
    }
    #expect(try Self.decode(latents, BaseModel(opening: old, as: whole.family), nil) == expected)
    let other = TinyPipeline(name == "tiny-sd1" ? "tiny-sd2" : "tiny-sd1").folder
    let base = try BaseModel(opening: other, as: whole.family)
    #expect(try Self.decode(latents, base, pipeline.folder.appending("vae")) == expected)
    #expect(try Self.decode(latents, base, nil) != expected)
  }

  private static func decode(
    _ latents: Tensor, _ base: BaseModel, _ vae: FilePath?
  ) throws -> Tensor? {
    try Autoencoder(of: base, vae)?.decoder(compute: .f32)?.decode(latents)
  }

  /// An encoder alone can be trained with; what lacks in a decoder is said.
  @Test func decodersThatAreNotWhole() throws {
    let folder = TemporaryFolder()
    let pipeline = TinyPipeline("tiny-sd1")
    let family = try #require(ModelFamily.named("sd1"))
    let encoder = try BaseModel(
      opening: try pipeline.writeFolder(in: folder) { key, tensor in
        key.hasPrefix("vae/decoder.") ? nil : (key, tensor)
      }, as: family)
    let autoencoder = try #require(try Autoencoder(of: encoder, nil))
    #expect(try !autoencoder.hasDecoder && autoencoder.decoder(compute: .f32) == nil)
    let lacking = TemporaryFolder()
    let part = try BaseModel(
      opening: try pipeline.writeFolder(in: lacking) { key, tensor in
        key == "vae/decoder.up_blocks.2.resnets.1.norm2.weight" ? nil : (key, tensor)
      }, as: family)
    let error = #expect(throws: ModelLoadingError.self) {
      try Self.decode(Tensor(zeros: [1, 1, 1, 4]), part, nil)
    }
    #expect("\(error as Any)".contains("decoder.up_blocks.2.resnets.1.norm2.weight"))
  }

  @Test func wrongChannelsAreRefused() throws {
    let base = try BaseModel(
      opening: TinyPipeline("tiny-sd1").folder, as: ModelFamily.named("sd1"))
    let vae = Fixtures.path("training/models/decoders/tiny-flux")
    let error = #expect(throws: ModelLoadingError.self) {
      try Self.decode(Tensor(zeros: [1, 1, 1, 4]), base, vae)
    }
    let text = "\(error as Any)"
    #expect(text.contains("decoder.conv_in.weight") && text.contains("16"), "\(text)")
  }

  @Test func scaleIsTakenBack() {
    let latents = Tensor(random: [2, 3, 4], seed: 1)
    for (shift, scale) in [(0, 0.18215), (0.1159, 0.3611)] as [(Float, Float)] {
      let layout = LatentLayout(
        channels: 4, stride: 8, shift: shift, scale: scale, cacheName: "")
      // Two roundings each way.
      expectClose(layout.unscaled(layout.scaled(latents)), latents, tolerance: 2e-7)
    }
  }
}
