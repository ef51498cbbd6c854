import Images
import ModelFamilies
import Pipelines
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

struct BatchLoaderTests {
  private func folder(_ count: Int = 6) throws -> ImageFolder {
    let folder = ImageFolder()
    for i in 0..<count {
      try folder.image(
        "\(i).png", ["rgb.png", "rgba.png", "interlaced.png"][i % 3], caption: "a, b, c, \(i)")
    }
    return folder
  }

  private func batches(
    _ set: TrainingSet, _ cache: LatentCache? = nil, threads: Int = 2, from first: Int = 0,
    epoch: Int = 1
  ) throws -> [TrainingBatch] {
    var settings = BatchLoader.Settings(seed: 3, epoch: epoch, stride: 8)
    settings.threads = threads
    settings.ahead = 3
    settings.stepCount = 100
    settings.firstStep = first
    let plans = Array(set.batches(epoch: epoch, seed: 3).dropFirst(first))
    let loader = BatchLoader(plans, of: set, cache: cache, settings)
    var batches: [TrainingBatch] = []
    while let batch = try loader.next() { batches.append(batch) }
    #expect(batches.map(\.plan) == plans)
    #expect(try loader.next() == nil)
    return batches
  }

  private func varied(_ folder: borrowing ImageFolder) throws -> TrainingSet {
    try folder.set {
      $0.values.batchSize = 2
      $0.values.flipAug = true
      $0.values.shuffleCaption = true
      $0.values.randomCrop = true
      $0.values.colorAug = true
      $0.values.captionDropoutRate = 0.2
      $0.values.numRepeats = 3
    }
  }

  @Test func independentOfThreads() throws {
    let folder = try folder()
    let set = try varied(folder)
    let one = try batches(set, threads: 1)
    #expect(try one == batches(set, threads: 4))
    #expect(try Array(one.dropFirst(5)) == batches(set, threads: 2, from: 5))
    #expect(try one != batches(set, epoch: 2))
    #expect(
      one.contains { $0.sizes.contains(where: \.isMirrored) }
        && one.contains { batch in batch.sizes.contains { !$0.isMirrored } })
  }

  @Test func cachedAndEncodedGiveTheSame() throws {
    let folder = try folder()
    let set = try folder.set {
      $0.values.batchSize = 2
      $0.values.flipAug = true
      $0.values.alphaMask = true
    }
    let cache = try LatentCache(
      preparing: set, LatentCacheSettings(.memory, .small, vae: "v", seed: 3), with: MeanEncoder())
    let (kept, fresh) = (try batches(set, cache), try batches(set))
    for (a, b) in zip(kept, fresh) {
      guard case .latents(let latents) = a.content, case .pixels(let pixels) = b.content else {
        Issue.record("latents of a cache, pixels without")
        return
      }
      #expect(pixels.shape == [2, 32, 32, 3] && latents.shape == [2, 4, 4, 4])
      #expect(b.sampled(MeanEncoder().encode(pixels)) == latents)
      #expect(a.captions == b.captions && a.sizes == b.sizes)
      #expect(a.mask?.shape == [2, 4, 4])
      // Sums of 64 numbers in another order.
      expectClose(try #require(a.mask), try #require(b.mask), tolerance: 1e-6)
    }
  }

  /// What SDXL is told: the file's size, and its corner in the bucket, counted as sd-scripts counts it. 48 × 40 pixels in a
  /// bucket of 32 × 32 lie 32 × 26.67 inside it, 2 below its edge; in one of 64 × 32 they lie 38.4 × 32, 12.8 from the left.
  @Test func picturesKnowTheirCrop() throws {
    let folder = try folder(1)
    func sizes(_ resolution: Resolution) throws -> [PictureSize] {
      let set = try folder.set {
        $0.values.resolution = resolution
        $0.values.flipAug = true
        $0.values.numRepeats = 20
      }
      return try batches(set).flatMap(\.sizes)
    }
    let square = try #require(try sizes(Resolution(32, 32)).first)
    #expect((square.originalHeight, square.originalWidth) == (40, 48))
    #expect((square.height, square.width, square.cropTop, square.cropLeft) == (32, 32, 2, 0))
    let wide = try sizes(Resolution(64, 32))
    #expect(wide.first { !$0.isMirrored }?.cropLeft == 12)
    #expect(wide.first { $0.isMirrored }?.cropLeft == 13)
  }

  @Test func masksFollowTheirImages() throws {
    let folder = try folder(2)
    for i in 0..<2 { try folder.image("masks/\(i).png", "rgb.png") }
    let text = """
      [[datasets]]
      resolution = 32
      [[datasets.subsets]]
      image_dir = "FOLDER"
      conditioning_data_dir = "FOLDER/masks"
      flip_aug = true
      num_repeats = 4
      """
    let set = try folder.set(configuration: text)
    #expect(set.hasMasks)
    for batch in try batches(set) where batch.paths[0].stem == "0" {
      guard case .pixels(let pixels) = batch.content else { continue }
      // The image is its own mask here, so its red channel must be the weights.
      let red = MeanEncoder().encode(pixels).mean
      let expected = Tensor(
        [1, 4, 4], (0..<16).map { red.elements[$0 * 4] / 2 + 0.5 })
      expectClose(try #require(batch.mask), expected, tolerance: 1e-5)
    }
    try folder.image("9.png", caption: "x")
    #expect(
      message { _ = try folder.set(configuration: text) }
        .contains("9.png: expected a mask of the same name in"))
  }

  @Test func regularizationHasItsWeight() throws {
    let folder = ImageFolder()
    try folder.image("train/2_a/0.png")
    try folder.image("reg/1_b/0.png")
    let set = try folder.set {
      $0.trainFolder = folder.path.appending("train")
      $0.regularizationFolder = folder.path.appending("reg")
      $0.priorLossWeight = 0.25
    }
    let weights = try batches(set).map { ($0.captions[0], $0.lossWeights[0]) }
    #expect(weights.count == 4)
    #expect(weights.allSatisfy { $0.1 == ($0.0 == "a" ? 1 : 0.25) })
  }

  @Test func validationIsFixed() throws {
    let folder = try folder()
    let set = try folder.set {
      $0.values.validationSplit = 0.5
      $0.values.shuffleCaption = true
      $0.values.flipAug = true
      $0.values.captionDropoutRate = 1
    }
    func load(epoch: Int) throws -> [TrainingBatch] {
      var settings = BatchLoader.Settings(seed: 3, epoch: epoch, stride: 8)
      settings.isValidation = true
      let loader = BatchLoader(set.validationBatches(), of: set, cache: nil, settings)
      var batches: [TrainingBatch] = []
      while let batch = try loader.next() { batches.append(batch) }
      return batches
    }
    let batches = try load(epoch: 0)
    #expect(try batches.count == 3 && batches == load(epoch: 5))
    #expect(batches.allSatisfy { $0.captions[0].hasPrefix("a, b, c, ") && !$0.sizes[0].isMirrored })
  }

  @Test func errorsNameTheFile() throws {
    let folder = try folder()
    let set = try varied(folder)
    let whole = try contents(of: folder.folder.file("4.png"))
    try folder.bytes("4.png", Array(whole.prefix(whole.count / 2)))
    #expect(
      message { _ = try batches(set) }
        == "\(folder.path)/4.png: expected a whole PNG image, found a broken one: the file is cut short"
    )
    try folder.image("4.png", "../refused/image.gif")
    #expect(
      message { _ = try batches(set) }.contains(
        "4.png: expected a PNG, JPEG or WebP image, found GIF"))
  }

  @Test func cancels() throws {
    let folder = try folder()
    let set = try varied(folder)
    let loader = BatchLoader(
      set.batches(epoch: 0, seed: 3), of: set, cache: nil, .init(seed: 3, epoch: 0, stride: 8))
    _ = try loader.next()
    loader.cancel()
    #expect(throws: CancellationError.self) { try loader.next() }
  }

  @Test func colorsVaryALittle() throws {
    let image = try RasterImage(decoding: Fixtures.path("training/data/images/rgb.png"))
    var changed = 0
    for sample in 0..<60 {
      var generator = CounterGenerator(seed: 1, epoch: 0, sample: sample, purpose: .color)
      let varied = ColorVariation(using: &generator).applied(to: image)
      let worst = zip(image.pixels, varied.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
      // A hue turned by 16 degrees moves a saturated channel by 16/60 of 255.
      #expect(worst <= 70)
      if worst > 0 { changed += 1 }
    }
    // 20 expected, deviation 4.
    #expect((8...34).contains(changed), "\(changed)")
  }
}
