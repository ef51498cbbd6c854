import Foundation
import Images
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Files that are written, against Pillow's; `scripts/fixtures/training/make-png-fixtures.py` wrote those.
struct PNGWritingTests {
  private static func image(_ width: Int, _ height: Int, _ channels: Int) -> RasterImage {
    let numbers = Tensor(random: [width * height * channels], seed: 5).elements
    return RasterImage(
      width: width, height: height, channels: channels,
      pixels: numbers.map { UInt8(truncatingIfNeeded: Int($0 * 100)) })
  }

  @Test(arguments: [(1, 1, 3), (7, 5, 3), (64, 48, 3), (33, 2, 4), (1, 300, 4)])
  func pixelsComeBack(width: Int, height: Int, channels: Int) throws {
    let image = Self.image(width, height, channels)
    let folder = TemporaryFolder()
    let path = folder.file("a.png")
    let bytes = image.png([PNGText("parameters", "a"), PNGText("second", "b\nc")])
    try path.write(bytes)
    #expect(try contents(of: path) == bytes)
    #expect(try RasterImage(decoding: path, alpha: channels == 4) == image)
    let chunks = try #require(PNGChunks(bytes))
    #expect(chunks.chunks.first?.name == "IHDR" && chunks.chunks.last?.name == "IEND")
    // Bits of a channel, kind of colour, packing, filters, interlacing.
    #expect(chunks.chunks[0].bytes.suffix(5) == [8, channels == 4 ? 6 : 2, 0, 0, 0])
    #expect(chunks.texts.map(\.keyword) == ["parameters", "second"])
    #expect(chunks.texts.map(\.text) == ["a", "b\nc"])
  }

  @Test(arguments: ["ascii", "latin1", "unicode", "empty"])
  func textsArePillows(_ name: String) throws {
    let folder = Fixtures.path("training/data/texts")
    let texts = try JSONDecoder().decode(
      [String: String].self, from: Data(contents(of: folder.appending("texts.json"))))
    let text = try #require(texts[name])
    let theirs = try #require(PNGChunks(contents(of: folder.appending(name + ".png"))))
    let pixels = try RasterImage(decoding: folder.appending(name + ".png"))
    let ours = try #require(PNGChunks(pixels.png([PNGText("parameters", text)])))
    // The chunk and its place, before the pixels.
    #expect(ours.chunks[0] == theirs.chunks[0] && ours.chunks[1] == theirs.chunks[1])
    #expect(ours.texts.map(\.text) == [text])
  }

  @Test func zerosInATextAreLeftOut() throws {
    for text in ["a\0b", "猫\0b"] {
      let chunks = try #require(PNGChunks(Self.image(1, 1, 3).png([PNGText("k", text)])))
      #expect(chunks.texts.map(\.text) == [text.replacing("\0", with: "")])
    }
  }

  /// A file that is there is replaced as a whole; one that cannot be written leaves it.
  @Test func filesAppearWhole() throws {
    let folder = TemporaryFolder()
    let path = folder.file("a.png")
    let (first, second) = (Self.image(9, 9, 3).png(), Self.image(30, 40, 3).png())
    try path.write(first)
    try path.write(second)
    #expect(try contents(of: path) == second)
    #expect(directoryEntries(folder.path) == ["a.png"])
    #expect(throws: SafetensorsError.self) { try folder.file("none/a.png").write(first) }
    #expect(directoryEntries(folder.path) == ["a.png"])
  }

  /// Against diffusers' `VaeImageProcessor` for the numbers that it was given in double precision.
  @Test(arguments: ["tiny-sd1", "tiny-sd2", "tiny-sdxl", "tiny-flux"])
  func picturesOfADecoder(_ name: String) throws {
    let golden = try TensorFile(
      opening: Fixtures.path("training/models/decoders/\(name).golden.safetensors")
    ).contents
    for extents in ["1x1", "5x7", "13x3"] {
      let decoded = try #require(golden[extents + ".decoded"]).decoded()
      let pixels = try #require(golden[extents + ".pixels"])
      let found = (0..<decoded.shape.dimensions[0]).flatMap {
        RasterImage(decoded, at: $0).pixels
      }
      let differences = zip(found, pixels.bytes).map { abs(Int($0) - Int($1)) }
      // Rounding to f32 may bring one of ten thousand over a half.
      #expect(found.count == pixels.bytes.count && differences.reduce(0, +) <= 1, "\(extents)")
    }
  }

  @Test func whatIsOutOfRangeIsCutOff() {
    let numbers: [Float] = [
      -1, 1, 0, -2, 3, .nan, .infinity, -.infinity, 1 / 255, -1 / 255, 0.999, -0.999,
    ]
    let image = RasterImage(Tensor([1, 2, 2, 3], numbers))
    #expect(image.pixels == [0, 255, 128, 0, 255, 0, 255, 0, 128, 127, 255, 0])
    #expect(image.width == 2 && image.height == 2)
  }
}
