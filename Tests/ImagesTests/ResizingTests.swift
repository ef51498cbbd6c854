import Images
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Resizing against OpenCV's and Pillow's.
struct ResizingTests {
  static let goldens = try! TensorFile(
    opening: Fixtures.path("training/data/resized.safetensors")
  ).contents

  static func image(_ name: String) throws -> RasterImage {
    let tensor = try #require(goldens[name])
    return RasterImage(
      width: tensor.shape.dimensions[1], height: tensor.shape.dimensions[0], channels: 3,
      pixels: tensor.bytes)
  }

  @Test(arguments: Interpolation.allCases)
  func equalsThePeer(_ interpolation: Interpolation) throws {
    let source = try Self.image("source")
    let names = Self.goldens.keys.filter { $0.hasPrefix(interpolation.rawValue + ".") }
    #expect(names.count == 9)
    for name in names {
      let expected = try Self.image(name)
      let found = source.resized(
        width: expected.width, height: expected.height, interpolation)
      let worst = zip(found.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
      // Pillow's arithmetic is followed to the bit, but that Pillow 13 starts with the columns where that
      // is less work and rounds in between; OpenCV's fixed point may round the other way.
      let tolerance =
        switch interpolation {
        case .nearest, .box: 0
        case .area, .bilinear, .bicubic: 1
        case .lanczos: 2
        }
      #expect(worst <= tolerance, "\(name): off by \(worst)")
    }
  }

  @Test func standardChoice() {
    #expect(Interpolation.standard(from: (100, 80), to: (width: 50, height: 80)) == .area)
    #expect(Interpolation.standard(from: (100, 80), to: (width: 50, height: 81)) == .lanczos)
    #expect(Interpolation(name: "cubic") == .bicubic && Interpolation(name: "hamming") == nil)
  }

  @Test func constantStaysConstant() {
    let gray = RasterImage(
      width: 37, height: 23, channels: 4, pixels: .init(repeating: 201, count: 37 * 23 * 4))
    for interpolation in Interpolation.allCases {
      for (width, height) in [(1, 1), (5, 90), (64, 64), (36, 22)] {
        let pixels = gray.resized(width: width, height: height, interpolation).pixels
        #expect(pixels.allSatisfy { $0 == 201 }, "\(interpolation) to \(width)x\(height)")
      }
    }
  }

  @Test func flipsAndCrops() {
    let image = RasterImage(width: 3, height: 2, channels: 3, pixels: Array(0..<18))
    #expect(image.flipped().pixels.prefix(9) == [6, 7, 8, 3, 4, 5, 0, 1, 2])
    #expect(image.flipped().flipped() == image)
    #expect(
      image.cropped(x: 1, y: 1, width: 2, height: 1).pixels == [12, 13, 14, 15, 16, 17])
    #expect(image.normalized().elements[0] == -1)
    let white = RasterImage(width: 1, height: 1, channels: 4, pixels: [255, 0, 51, 102])
    #expect(white.normalized().elements == [1, -1, -0.6])
    #expect(white.channel(3).elements == [0.4])
  }
}
