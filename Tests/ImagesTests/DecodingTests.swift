import Images
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Pixels against Pillow's; `scripts/fixtures/training/make-data-fixtures.py` wrote both.
struct DecodingTests {
  static let folder = Fixtures.path("training/data/images")
  static let names = directoryEntries(folder)

  static func golden(_ name: String) throws -> [UInt8] {
    let file = try TensorFile(opening: Fixtures.path("training/data/decoded.safetensors"))
    return try #require(file.contents[name]).bytes
  }

  @Test(arguments: names, [false, true])
  func decodesAsPillow(_ name: String, alpha: Bool) throws {
    let image = try RasterImage(decoding: Self.folder.appending(name), alpha: alpha)
    #expect(image.width == 48 && image.height == 40 && image.channels == (alpha ? 4 : 3))
    let expected = try Self.golden(name + (alpha ? ".rgba" : ".rgb"))
    let worst = zip(image.pixels, expected).map { abs(Int($0) - Int($1)) }.max() ?? 0
    // PNG and lossless WebP are exact. Pillow brings its own libjpeg-turbo and libwebp, whose
    // inverse transforms and chroma filters may round another way.
    let isLossy = name.hasSuffix("webp") || (name.hasSuffix("jpg") && name != "misnamed.jpg")
    #expect(
      worst <= (isLossy ? 2 : 0) && image.pixels.count == expected.count,
      "\(name): off by \(worst)")
  }

  @Test(arguments: names)
  func headerKnowsTheSize(_ name: String) throws {
    let header = try ImageHeader(reading: Self.folder.appending(name))
    #expect(header.width == 48 && header.height == 40)
    #expect(header.orientation == (name == "turned.jpg" ? 6 : nil))
  }

  @Test func orientationIsNotFollowed() throws {
    // What sd-scripts trains on: `Image.open(path).convert("RGB")` leaves a picture as it is stored.
    let turned = try RasterImage(decoding: Self.folder.appending("turned.jpg"))
    let plain = try RasterImage(decoding: Self.folder.appending("rgb.jpg"))
    #expect(turned == plain)
  }

  @Test func formatIsThatOfTheContent() throws {
    let header = try ImageHeader(reading: Self.folder.appending("misnamed.jpg"))
    #expect(header.format == .png)
  }
}
