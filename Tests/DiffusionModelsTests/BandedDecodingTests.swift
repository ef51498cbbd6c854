import Autograd
import Images
import OrderedCollections
import Pipelines
import Safetensors
import Tensors
import TestSupport
import Testing

@testable import DiffusionModels

/// Pictures that are decoded in bands of rows have no seams.
@Suite struct BandedDecodingTests {
  /// Bands of one row and of a few, with nothing held that can be computed again, some of it, and all.
  static let plans = [
    BandPlan(bandBytes: 1, heldBytes: 0), BandPlan(bandBytes: 1, heldBytes: 1 << 30),
    BandPlan(bandBytes: 5000, heldBytes: 0), BandPlan(bandBytes: 3000, heldBytes: 40_000),
    BandPlan(bandBytes: 20_000, heldBytes: 1 << 30),
  ]
  static let whole = BandPlan(bandBytes: 1 << 40, heldBytes: 1 << 40)

  @Test(arguments: ["tiny-sd1", "tiny-sd2", "tiny-sdxl"])
  func bandsAreAsTheWhole(name: String) throws {
    let decoder = try #require(try VAEDecoderTests.decoder(name) as? VAEDecoder)
    let golden = try VAEDecoderTests.golden(name)
    var (worst, levels, pixels) = (0.0, 0, 0)
    for extents in VAEDecoderTests.extents {
      let latents = try #require(golden[extents + ".latents"]).decoded()
      decoder.plan = Self.whole
      let whole = try decoder.decode(latents)
      for plan in Self.plans {
        decoder.plan = plan
        let banded = try decoder.decode(latents)
        // The kernels of other extents may sum in another order.
        expectClose(banded, whole, tolerance: 2e-6, "\(name) \(extents) \(plan)")
        worst = max(worst, relativeError(banded, whole))
        for index in 0..<latents.shape.dimensions[0] {
          let pair = (RasterImage(banded, at: index), RasterImage(whole, at: index))
          for (a, b) in zip(pair.0.pixels, pair.1.pixels) {
            #expect(abs(Int(a) - Int(b)) <= 1)
            levels += a == b ? 0 : 1
          }
          pixels += pair.0.pixels.count
        }
      }
    }
    print(name, "in bands, relative error", worst, "levels that differ", levels, "of", pixels)
    #expect(Double(levels) < 0.001 * Double(pixels))
  }

  /// What diffusers saves, to one level in 99.9 of 100.
  @Test(arguments: ["tiny-sd1", "tiny-sd2", "tiny-sdxl"])
  func pixelsAreThoseOfDiffusers(name: String) throws {
    let decoder = try VAEDecoderTests.decoder(name)
    let golden = try VAEDecoderTests.golden(name)
    var (differing, count) = (0, 0)
    for extents in VAEDecoderTests.extents {
      let pictures = try decoder.decode(#require(golden[extents + ".latents"]).decoded())
      let expected = try #require(golden[extents + ".pixels"]).bytes
      let found = (0..<pictures.shape.dimensions[0]).flatMap {
        RasterImage(pictures, at: $0).pixels
      }
      try #require(found.count == expected.count)
      for (a, b) in zip(found, expected) {
        #expect(abs(Int(a) - Int(b)) <= 1)
        differing += a == b ? 0 : 1
      }
      count += found.count
    }
    print(name, "levels that differ from diffusers'", differing, "of", count)
    #expect(Double(differing) < 0.001 * Double(count))
  }

  /// Bands alone, each with norms of its own, would not do: the tests above would see it.
  @Test func bandsByThemselvesWouldHaveSeams() throws {
    let decoder = try #require(try VAEDecoderTests.decoder("tiny-sd1") as? VAEDecoder)
    let latents = Tensor(random: [1, 8, 6, 4], seed: 9)
    let whole = try decoder.decode(latents)
    let half = try decoder.decode(Tensor([1, 4, 6, 4], Array(latents.elements.prefix(4 * 6 * 4))))
    let top = Tensor(half.shape, Array(whole.elements.prefix(half.count)))
    #expect(relativeError(half, top) > 0.01)
  }

  @Test func bandsAreLetGo() {
    let whole = Tensor(random: [1, 10, 3, 2], seed: 2)
    let image = HeldImage(HeldImage(whole), step: 4, releases: false)
    #expect(image.heldBytes == 240)
    for rows in [0..<10, 0..<4, 3..<5, 8..<10, 2..<9, 7..<8] {
      #expect(image.rows(rows) == whole.imageRows(rows))
    }
    image.release(before: 7)
    #expect(image.heldBytes == 144 && image.rows(4..<10) == whole.imageRows(4..<10))
    image.release(before: 3)
    image.release(before: -1)
    #expect(image.heldBytes == 144)
    image.release(before: 10)
    #expect(image.heldBytes == 48)
  }

  /// Ctrl-C is looked at while a decoder is read, and while it works.
  @Test func stopsWhereTheTaskIsCancelled() async throws {
    let latents = Tensor(zeros: [1, 4, 4, 4])
    let decoder = try #require(try VAEDecoderTests.decoder("tiny-sd1") as? VAEDecoder)
    withUnsafeCurrentTask { $0?.cancel() }
    #expect(throws: CancellationError.self) { try decoder.decode(latents) }
    #expect(throws: CancellationError.self) { try VAEDecoderTests.decoder("tiny-sd1") }
  }
}
