import Machine
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Files of latents that hold several sizes, each under names of its own, shifted and scaled: as sd-scripts keeps those of
/// Flux.1.
struct SizedCacheTests {
  private static let layout = LatentLayout(
    channels: 4, stride: 8, shift: 0.5, scale: 2, cacheName: "flux", cachesScaled: true,
    cachesSizes: true)

  private func set(
    _ folder: borrowing ImageFolder, _ size: Resolution,
    _ change: (inout DatasetDefaults) -> Void = { _ in }
  ) throws -> TrainingSet {
    var defaults = folder.defaults
    defaults.values.resolution = size
    change(&defaults)
    return try TrainingSet(DatasetConfiguration(defaults, latents: Self.layout), seed: 1)
  }

  /// Makes the cache; returns it with the number of images that had to be encoded.
  private func prepare(_ set: TrainingSet) throws -> (cache: LatentCache, encoded: Int) {
    var encoded = 0
    let cache = try LatentCache(
      preparing: set, LatentCacheSettings(.disk(.npz), Self.layout, vae: "vae", seed: 11),
      with: MeanEncoder()
    ) {
      encoded = $0.done
      return true
    }
    return (cache, encoded)
  }

  private func first(_ cache: LatentCache) throws -> EncodedImage {
    try cache.encoded(TrainingSet.Place(index: 0, isValidation: false))
  }

  private let sizes = [Resolution(32, 32), Resolution(48, 32)]

  @Test func aFileTakesFurtherSizes() throws {
    let folder = ImageFolder()
    try folder.image("0.png", caption: "0")
    let name = "0_0048x0040_flux.npz"
    for size in sizes { #expect(try prepare(set(folder, size)).encoded == 1) }
    for size in sizes { #expect(try prepare(set(folder, size)).encoded == 0) }
    #expect(directoryEntries(folder.path).filter { $0.hasSuffix("npz") } == [name])
    let archive = try NumpyArchive(reading: folder.folder.file(name))
    #expect(
      archive.arrays.map(\.name)
        == ["4x4", "4x6"].flatMap { size in
          ["latents", "original_size", "crop_ltrb", "lyco"].map { "\($0)_\(size)" }
        })
    #expect(archive["latents_4x6"]?.shape == [4, 4, 6])
    #expect(archive["original_size_4x6"]?.numbers == [48, 40])
    // Both lie as they are trained.
    let settings = LatentCacheSettings(.memory, Self.layout, vae: "vae", seed: 11)
    for size in sizes {
      let kept = try prepare(set(folder, size)).cache
      let plain = try LatentCache(preparing: set(folder, size), settings, with: MeanEncoder())
      #expect(kept.holdsScaled && !plain.holdsScaled)
      let draw = CounterGenerator(seed: 11, epoch: 0, sample: 0, purpose: .latent)
      let sample = try first(plain).plain.sample(using: draw)
      #expect(try first(kept).plain.mean == Self.layout.scaled(sample))
    }
    // What is missing of one size is made for that alone.
    let mirrored = try prepare(set(folder, sizes[0]) { $0.values.flipAug = true })
    #expect(mirrored.encoded == 1)
    #expect(try first(mirrored.cache).flipped != nil)
    let now = try NumpyArchive(reading: folder.folder.file(name))
    #expect(now["latents_4x6"] == archive["latents_4x6"] && now["lyco_4x6"] == archive["lyco_4x6"])
    #expect(now["latents_flipped_4x4"] != nil && now["latents_flipped_4x6"] == nil)
  }

  /// Every picture of a folder in two sizes.
  private func twoSizes(_ folder: borrowing ImageFolder) throws -> TrainingSet {
    let text = sizes.map {
      "[[datasets]]\nresolution = [\($0.width), \($0.height)]\n[[datasets.subsets]]\nimage_dir = 'FOLDER'"
    }.joined(separator: "\n")
    var defaults = DatasetDefaults()
    defaults.configuration = try folder.folder.write(
      "two.toml", text: text.replacingAll("FOLDER", with: folder.path.string))
    return try TrainingSet(DatasetConfiguration(defaults, latents: Self.layout), seed: 1)
  }

  /// One size of an image is one of its latents, and two images share no file.
  @Test func twoWaysToOneSize() throws {
    let folder = ImageFolder()
    try folder.image("0.png", caption: "0")
    let both = try twoSizes(folder)
    #expect(both.examples.count == 2)
    #expect(try prepare(both).encoded == 2)
    #expect(try prepare(both).encoded == 0)
  }

  /// The first of two ranks, to whom the other says what it says itself.
  private final class FirstOfTwo: Communicator {
    let rank = 0
    let hosts = ["a", "a"]
    let failure: RankFailure? = nil

    func gather(_ message: [UInt8]) -> [[UInt8]] { [message, message] }
    func collect(_ message: [UInt8]) -> [[UInt8]]? { [message, message] }
    func fail(_ failure: RankFailure) -> RankFailure { failure }
    func sum(of count: Int) -> any OrderedSum { SingleProcess().sum(of: count) }
  }

  /// Sizes of one picture are made by one rank: each is added to what the file holds, and two ranks that add at the same
  /// time would lose one.
  @Test(arguments: [(1, 2), (3, 4)])
  func aFileIsOfOneRank(pictures: Int, encoded: Int) throws {
    let folder = ImageFolder()
    for index in 0..<pictures { try folder.image("\(index).png", caption: "0") }
    let settings = LatentCacheSettings(.disk(.npz), Self.layout, vae: "vae", seed: 11)
    var found = 0
    _ = try LatentCache(
      preparing: twoSizes(folder), settings, with: MeanEncoder(), over: FirstOfTwo()
    ) {
      found = $0.done
      return true
    }
    #expect(found == encoded)
    let files = directoryEntries(folder.path).filter { $0.hasSuffix("npz") }
    #expect(files.count == encoded / 2)
    for file in files {
      let archive = try NumpyArchive(reading: folder.folder.file(file))
      #expect(archive["latents_4x4"] != nil && archive["latents_4x6"] != nil)
    }
  }

  /// What sd-scripts wrote is what is trained; another size is put beside it, and nothing else changes.
  @Test func takesSdScriptsFiles() throws {
    let oracle = Fixtures.path("training/oracles/flux-dev")
    let folder = TemporaryFolder()
    for stem in ["a", "b"] {
      for ending in [".png", ".txt", "_0048x0032_flux.npz"] {
        let bytes = try contents(of: oracle.appending("images/\(stem)\(ending)"))
        try folder.write(stem + ending, bytes: bytes)
      }
    }
    let latents = try #require(ModelFamily.named("flux")?.latents)
    func set(_ size: Resolution) throws -> TrainingSet {
      var defaults = DatasetDefaults()
      defaults.trainFolder = folder.path
      defaults.values.resolution = size
      return try TrainingSet(DatasetConfiguration(defaults, latents: latents), seed: 1)
    }
    let cache = try LatentCache(
      preparing: set(Resolution(48, 32)),
      LatentCacheSettings(.disk(.npz), latents, vae: nil, seed: 1), with: nil)
    let golden = try TensorFile(opening: oracle.appending("golden.safetensors.zst"))
    let expected = try #require(golden.tensors["in.latents"]).tensor()
    for index in 0...1 {
      let found = try cache.encoded(TrainingSet.Place(index: index, isValidation: false)).plain.mean
      let (d, cells) = (found.shape.dimensions, 4 * 6)
      #expect(d == [4, 6, 16])
      let channelsFirst = (0..<16).flatMap { channel in
        (0..<cells).map { found.elements[$0 * 16 + channel] }
      }
      #expect(
        channelsFirst == Array(expected.elements[index * 16 * cells..<(index + 1) * 16 * cells]))
    }
    // Nothing makes another size, and it is said what is missing.
    let text = message {
      _ = try LatentCache(
        preparing: set(Resolution(32, 32)),
        LatentCacheSettings(.disk(.npz), latents, vae: nil, seed: 1), with: nil)
    }
    #expect(text.contains("a.png") && text.contains("2"), "\(text)")
  }

  /// Sides that tokens of two by two latents fill.
  @Test func sidesAreThoseOfTokens() throws {
    let latents = try #require(ModelFamily.named("flux")?.latents)
    let folder = ImageFolder()
    try folder.image("0.png", caption: "0")
    var defaults = folder.defaults
    defaults.values.resolution = Resolution(40, 40)
    let configuration = try DatasetConfiguration(defaults, latents: latents)
    #expect(configuration.datasets[0].resolution == Resolution(32, 32))
    #expect(configuration.notices.contains { $0.contains("a token is 16 pixels") })
    defaults.values.enableBucket = true
    defaults.values.minBucketReso = 32
    defaults.values.bucketResoSteps = 8
    let bucketed = try DatasetConfiguration(defaults, latents: latents)
    #expect(bucketed.datasets[0].buckets?.step == 16, "\(bucketed.notices)")
    defaults.values.bucketResoSteps = 24
    let text = message { _ = try DatasetConfiguration(defaults, latents: latents) }
    #expect(text.contains("a multiple of 16, the pixels of a token"), "\(text)")
  }
}
