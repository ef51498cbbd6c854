import Glibc
import Images
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Means over squares of 8 pixels, so that what is cached can be told.
struct MeanEncoder: LatentEncoder {
  let identity = "mean"

  func encode(_ images: Tensor) -> (mean: Tensor, logVariance: Tensor) {
    let extents = images.shape.dimensions
    let (count, height, width) = (extents[0], extents[1] / 8, extents[2] / 8)
    var mean = Tensor(zeros: [count, height, width, 4])
    for b in 0..<count {
      for y in 0..<extents[1] {
        for x in 0..<extents[2] {
          for c in 0..<3 {
            mean.elements[((b * height + y / 8) * width + x / 8) * 4 + c] +=
              images.elements[((b * extents[1] + y) * extents[2] + x) * 3 + c] / 64
          }
        }
      }
    }
    return (mean, Tensor(mean.shape, mean.elements.map { $0 - 2 }))
  }
}

struct LatentCacheTests {
  private func settings(
    _ place: LatentCacheSettings.Place, vae: String = "vae-1"
  ) -> LatentCacheSettings {
    var settings = LatentCacheSettings(place, .small, vae: vae, seed: 11)
    settings.batchSize = 2
    settings.threads = 2
    return settings
  }

  /// Makes the cache; returns it with the number of images that had to be encoded.
  private func prepare(
    _ set: TrainingSet, _ settings: LatentCacheSettings
  ) throws -> (cache: LatentCache, encoded: Int) {
    var encoded = 0
    let cache = try LatentCache(preparing: set, settings, with: MeanEncoder()) {
      encoded = $0.done
      return true
    }
    return (cache, encoded)
  }

  private func first(_ cache: LatentCache) throws -> EncodedImage {
    try cache.encoded(TrainingSet.Place(index: 0, isValidation: false))
  }

  private func folder(_ count: Int = 3) throws -> ImageFolder {
    let folder = ImageFolder()
    for i in 0..<count { try folder.image("\(i).png", "rgba.png", caption: "\(i)") }
    return folder
  }

  @Test func placesAgree() throws {
    let folder = try folder()
    let set = try folder.set {
      $0.values.flipAug = true
      $0.values.alphaMask = true
    }
    let memory = try prepare(set, settings(.memory))
    let disk = try prepare(set, settings(.disk(.safetensors)))
    #expect(memory.encoded == 3 && disk.encoded == 3)
    #expect(try first(memory.cache) == first(disk.cache))
    let npz = try prepare(set, settings(.disk(.npz)))
    let kept = try first(npz.cache)
    let draw = CounterGenerator(seed: 11, epoch: 0, sample: 0, purpose: .latent)
    #expect(try kept.plain.mean == first(memory.cache).plain.sample(using: draw))
    #expect(kept.plain.logVariance == nil && kept.flipped != nil)
    #expect(try kept.mask == first(memory.cache).mask)
    // What is there is used.
    #expect(try prepare(set, settings(.disk(.safetensors))).encoded == 0)
    #expect(try prepare(set, settings(.disk(.npz))).encoded == 0)
    #expect(
      directoryEntries(folder.path).filter { $0.hasPrefix("0") } == [
        "0.caption", "0.png", "0_0032x0032_sd.safetensors.zst", "0_0048x0040_sd.npz",
      ])
  }

  @Test(arguments: LatentCacheSettings.Format.allCases)
  func ownCachesAreMadeAnew(_ format: LatentCacheSettings.Format) throws {
    let folder = try folder(2)
    let place = LatentCacheSettings.Place.disk(format)
    let set = try folder.set()
    _ = try prepare(set, settings(place))
    #expect(try prepare(set, settings(place, vae: "vae-2")).encoded == 2, "another VAE")
    #expect(try prepare(set, settings(place, vae: "vae-2")).encoded == 0)
    let flipping = try folder.set { $0.values.flipAug = true }
    #expect(try prepare(flipping, settings(place, vae: "vae-2")).encoded == 2, "mirrored missing")
    let smooth = try folder.set { $0.values.resizeInterpolation = .bicubic }
    #expect(try prepare(smooth, settings(place, vae: "vae-2")).encoded == 2, "interpolation")
    // Touched, and touched with another content.
    _ = try prepare(set, settings(place))
    let image = folder.folder.file("0.png")
    var times = [
      timespec(tv_sec: 1_000_000_000, tv_nsec: 0), timespec(tv_sec: 1_000_000_000, tv_nsec: 0),
    ]
    #expect(utimensat(AT_FDCWD, image.string, &times, 0) == 0)
    #expect(try prepare(set, settings(place)).encoded == 0, "touched")
    try folder.image("0.png", "interlaced.png")
    #expect(try prepare(folder.set(), settings(place)).encoded == 1, "changed image")
    #expect(try prepare(folder.set(), settings(place)).encoded == 0)
  }

  /// As a full disk or a copy that was broken off leaves them.
  @Test(arguments: LatentCacheSettings.Format.allCases)
  func cutCachesAreMadeAnew(_ format: LatentCacheSettings.Format) throws {
    let folder = try folder(2)
    let place = LatentCacheSettings.Place.disk(format)
    let set = try folder.set()
    _ = try prepare(set, settings(place))
    let name = directoryEntries(folder.path).first { $0.hasPrefix("0_") }!
    let whole = try contents(of: folder.folder.file(name))
    for count in [0, 1, whole.count / 2, whole.count - 1] {
      try folder.bytes(name, Array(whole[..<count]))
      #expect(try prepare(set, settings(place)).encoded == 1, "\(count) of \(whole.count) bytes")
      #expect(try contents(of: folder.folder.file(name)) == whole)
    }
  }

  /// Numbers that are none, and arrays of another shape than the file says: told once, with the fault.
  @Test(arguments: LatentCacheSettings.Format.allCases)
  func damagedCachesAreTold(_ format: LatentCacheSettings.Format) throws {
    let folder = try folder(3)
    let place = LatentCacheSettings.Place.disk(format)
    let set = try folder.set()
    _ = try prepare(set, settings(place))
    let names = directoryEntries(folder.path).filter { $0.contains("_0") }.sorted()
    let wholes = try names.map { try contents(of: folder.folder.file($0)) }
    func notes(_ set: TrainingSet, _ settings: LatentCacheSettings) throws -> [String] {
      var notes: [String] = []
      _ = try LatentCache(
        preparing: set, settings, with: MeanEncoder(), note: { notes.append($0) })
      return notes
    }
    let path = folder.folder.file(names[0])
    for name in names[...1] {
      switch format {
      case .npz:
        var arrays = try NumpyArchive(reading: folder.folder.file(name)).arrays
        let index = try #require(arrays.firstIndex { $0.name.hasPrefix("latents") })
        var latents = try #require(arrays[index].array.tensor)
        latents.elements[3] = .nan
        arrays[index].array = NumpyArray(latents)
        try NumpyArchive(arrays).write(to: folder.folder.file(name))
      case .safetensors:
        let file = try TensorFile(opening: folder.folder.file(name))
        var latents = try #require(file.tensors["latents"]).tensor()
        latents.elements[3] = .nan
        var tensors = Dictionary(
          uniqueKeysWithValues: file.tensors.map { ($0.key, $0.value.stored) })
        tensors["latents"] = EncodedTensor(latents, as: .f32)
        try folder.folder.write(name, tensors, metadata: file.metadata)
      }
    }
    #expect(
      try notes(set, settings(place)) == [
        "\(path): expected a cache of finite latents, found NaN or infinity in 'latents'; the cache is made anew, and "
          + "those of 1 other images"
      ])
    for (name, whole) in zip(names, wholes) {
      #expect(try contents(of: folder.folder.file(name)) == whole)
    }
    // One of other settings is not damaged.
    #expect(try notes(set, settings(place, vae: "vae-2")).isEmpty)
    #expect(try notes(folder.set { $0.values.flipAug = true }, settings(place)).isEmpty)
  }

  /// Without an encoder a cache that is of no use is an error with its fault, and not one that is not there.
  @Test func damagedCachesWithoutAnEncoder() throws {
    let folder = try folder(2)
    var settings = settings(.disk(.npz))
    _ = try prepare(folder.set(), settings)
    settings.vae = nil
    let flipping = message {
      _ = try LatentCache(
        preparing: folder.set { $0.values.flipAug = true }, settings, with: nil)
    }
    #expect(
      flipping.contains("0_0048x0040_sd.npz: expected a cache of array 'latents_flipped'")
        && flipping.hasSuffix("name a VAE with '--vae' to have it made anew"), "\(flipping)")
    let other = message {
      _ = try LatentCache(
        preparing: folder.set { $0.values.resolution = Resolution(40, 40) }, settings, with: nil)
    }
    #expect(other.contains("found [4, 4, 4]; name a VAE"), "\(other)")
    try folder.bytes("0_0048x0040_sd.npz", [1, 2, 3])
    let cut = message { _ = try LatentCache(preparing: folder.set(), settings, with: nil) }
    #expect(cut.contains("0_0048x0040_sd.npz: ") && !cut.contains("kept latents"), "\(cut)")
  }

  /// Entries that share their bytes could stand for any multiple of what a file holds.
  @Test func arraysThatOverlap() throws {
    let folder = TemporaryFolder()
    let path = folder.file("a.npz")
    try NumpyArchive([("a", NumpyArray(Tensor(zeros: [64, 64])))]).write(to: path)
    var bytes = try contents(of: path)
    let central = bytes.count - 22 - 46 - 5
    let entry = Array(bytes[central..<bytes.count - 22])
    var end = Array(bytes[(bytes.count - 22)...])
    end[8] = 200
    end[10] = 200
    bytes = Array(bytes[..<central]) + (0..<200).flatMap { _ in entry } + end
    let file = try FileDescriptor.open(path, .writeOnly, options: .truncate)
    try file.closeAfter { _ = try file.writeAll(bytes) }
    #expect(message { _ = try NumpyArchive(reading: path) }.contains("found arrays that overlap"))
  }

  /// Files that sd-scripts wrote are read, and never replaced.
  @Test func cachesOfSdScripts() throws {
    let folder = ImageFolder()
    try folder.image("full.png", caption: "a")
    let caches = Fixtures.path("training/data/caches")
    try folder.bytes(
      "full_0048x0040_sd.npz", try contents(of: caches.appending("full_0048x0040_sd.npz")))
    let set = try folder.set {
      $0.values.resolution = Resolution(48, 40)
      $0.values.flipAug = true
      $0.values.alphaMask = true
    }
    let (cache, encoded) = try prepare(set, settings(.disk(.npz)))
    #expect(encoded == 0)
    let image = try first(cache)
    let expected = try TensorFile(opening: caches.appending("expected.safetensors"))
    let tensors = expected.tensors.mapValues { $0.tensor() }
    #expect(image.plain.mean.channelsFirst() == tensors["latents"])
    #expect(image.flipped?.mean.channelsFirst() == tensors["latents_flipped"])
    #expect(image.mask == tensors["alpha_mask"]?.averaged(over: 8))
    // Another bucket.
    let other = try folder.set()
    #expect(
      message { _ = try prepare(other, settings(.disk(.npz))) }
        == "\(folder.path)/full_0048x0040_sd.npz: expected a cache of latents [4, 4, 4] of bucket 32x32, "
        + "found [4, 5, 6]; remove it to have it made anew")
    // One without mirrored latents, under the old name.
    try folder.bytes(
      "full.npz", try contents(of: caches.appending("plain_0048x0040_sd.npz")))
    let found = message { _ = try prepare(set, settings(.disk(.npz))) }
    #expect(
      found.contains("full.npz: expected a cache of array 'latents_flipped', found ")
        && found.contains("latents"), "\(found)")
  }

  @Test func hostileArchives() throws {
    let folder = ImageFolder()
    let whole = try contents(of: Fixtures.path("training/data/caches/plain_0048x0040_sd.npz"))
    #expect(
      message {
        _ = try NumpyArchive(reading: Fixtures.path("training/data/caches/deflated.npz"))
      }.contains("expected a cache of arrays as they are, found compressed ones"))
    var refused = 0
    for place in stride(from: 0, to: whole.count, by: 3) {
      var bytes = whole
      bytes[place] ^= 0x55
      try folder.bytes("a.npz", bytes)
      if message(of: { _ = try NumpyArchive(reading: folder.folder.file("a.npz")) }) != "no error" {
        refused += 1
      }
      try folder.bytes("b.npz", Array(whole.prefix(place)))
      #expect(
        message { _ = try NumpyArchive(reading: folder.folder.file("b.npz")) }.contains("b.npz: "))
    }
    // Dates, versions and attributes of zip's entries mean nothing here.
    #expect(refused > whole.count / 5, "\(refused) of \(whole.count / 3)")
  }

  @Test func archivesKeepTheirArrays() throws {
    let folder = ImageFolder()
    var generator = CounterGenerator(seed: 1, epoch: 0, sample: 0, purpose: .noise)
    let tensor = Tensor(normal: [4, 3, 5], using: &generator)
    let archive = NumpyArchive([
      ("latents", NumpyArray(tensor)), ("sizes", NumpyArray([3, -4])),
      ("edges", NumpyArray([0.5, 2])), ("text", NumpyArray("é")),
    ])
    try archive.write(to: folder.folder.file("x.npz"))
    let read = try NumpyArchive(reading: folder.folder.file("x.npz"))
    #expect(read.arrays.map(\.name) == archive.arrays.map(\.name))
    #expect(read.arrays.map(\.array) == archive.arrays.map(\.array))
    #expect(read["latents"]?.tensor == tensor && read["sizes"]?.numbers == [3, -4])
    #expect(read["edges"]?.numbers == [0.5, 2] && read["text"]?.text == "é")
  }

  @Test func oneFileIsOfOneImage() throws {
    let folder = ImageFolder()
    try folder.image("a.png", caption: "a")
    try folder.image("a.jpg", "rgb.jpg")
    #expect(
      message { _ = try prepare(folder.set(), settings(.disk(.npz))) }
        .contains("expected a cache of one image, found two that would share it"))
    let one = try self.folder(1)
    let two = try one.set(
      configuration: """
        [[datasets]]
        resolution = 32
        [[datasets.subsets]]
        image_dir = "FOLDER"
        [[datasets]]
        resolution = 40
        [[datasets.subsets]]
        image_dir = "FOLDER"
        """)
    #expect(
      message { _ = try prepare(two, settings(.disk(.npz))) }.contains("(32x32) and "))
    #expect(try prepare(two, settings(.disk(.safetensors))).encoded == 2)
    #expect(try prepare(two, settings(.disk(.safetensors))).encoded == 0)
  }

  @Test func latentsThatAreNoNumbers() throws {
    struct Broken: LatentEncoder {
      let identity = "broken"

      func encode(_ images: Tensor) -> (mean: Tensor, logVariance: Tensor) {
        var encoded = MeanEncoder().encode(images)
        encoded.mean.elements[5] = .nan
        return encoded
      }
    }
    let folder = try folder(1)
    let text = message {
      _ = try LatentCache(preparing: folder.set(), settings(.memory), with: Broken())
    }
    #expect(text.hasPrefix("\(folder.path)/0.png: expected finite latents"))
  }

  @Test func progressCanStop() throws {
    let folder = try folder(3)
    #expect(throws: CancellationError.self) {
      try LatentCache(preparing: folder.set(), settings(.memory), with: MeanEncoder()) { _ in false
      }
    }
  }

  @Test func cannotCacheWhatChanges() throws {
    let folder = try folder(1)
    let set = try folder.set { $0.values.randomCrop = true }
    #expect(
      message { _ = try prepare(set, settings(.memory)) }
        == "cache_latents: expected images that are the same in every epoch, found 'random_crop' or 'color_aug'"
    )
  }

  @Test(.enabled(if: getuid() != 0, "root may write everywhere"))
  func readOnlyFolder() throws {
    let folder = try folder(1)
    chmod(folder.path.string, 0o500)
    defer { chmod(folder.path.string, 0o700) }
    let text = message { _ = try prepare(folder.set(), settings(.disk(.npz))) }
    #expect(text.hasPrefix(folder.path.string), "\(text)")
  }
}
