import CImages
package import SystemPackage
package import Tensors

/// A decoded image: 8 bits a channel, rows from top to bottom, channels beside each other.
package struct RasterImage: Equatable, Sendable {
  package let width: Int
  package let height: Int
  /// 3 for RGB, 4 for RGBA with colours not multiplied by alpha.
  package let channels: Int
  /// `[height, width, channels]`
  package private(set) var pixels: [UInt8]

  /// - Precondition: `pixels.count == width * height * channels`
  package init(width: Int, height: Int, channels: Int, pixels: [UInt8]) {
    precondition(
      pixels.count == width * height * channels,
      "\(pixels.count) bytes for \(width)x\(height) pixels of \(channels) channels")
    (self.width, self.height, self.channels) = (width, height, channels)
    self.pixels = pixels
  }

  /// Decodes a PNG, JPEG or WebP file, recognized by its content.
  ///
  /// Colours are Pillow's `convert("RGB")`: no profile and no gamma is applied, Exif's orientation is
  /// not followed, transparency is dropped rather than blended.
  /// - Parameter alpha: whether to keep transparency, as a fourth channel
  /// - Throws: `ImageError`
  package init(decoding path: FilePath, alpha: Bool = false) throws(ImageError) {
    let bytes = try ImageHeader.bytes(of: path)
    let header = try ImageHeader(of: bytes, name: path.string)
    let channels = alpha ? 4 : 3
    let (width, height) = (header.width, header.height)
    let count = width * height * channels
    let pixels: [UInt8]
    do {
      // Not filled before: of a large image that is broken, only the rows before the fault take memory.
      pixels = try unsafe [UInt8](unsafeUninitializedCapacity: count) { to, filled in
        try unsafe ImageHeader.decoding(path.string, header.format) { message in
          unsafe bytes.withUnsafeBufferPointer { from in
            let decode =
              switch header.format {
              case .png: unsafe lyco_png_decode
              case .jpeg: unsafe lyco_jpeg_decode
              case .webp: unsafe lyco_webp_decode
              }
            return unsafe decode(
              from.baseAddress, from.count, UInt32(width), UInt32(height), Int32(channels),
              to.baseAddress, message)
          }
        }
        filled = count
      }
    } catch let error as ImageError {
      throw error
    } catch {
      preconditionFailure("\(error)")
    }
    self.init(width: width, height: height, channels: channels, pixels: pixels)
  }

  /// The part that starts at column `x` and row `y`.
  /// - Precondition: it lies inside
  package func cropped(x: Int, y: Int, width: Int, height: Int) -> RasterImage {
    precondition(
      x >= 0 && y >= 0 && x + width <= self.width && y + height <= self.height,
      "part \(width)x\(height) at (\(x), \(y)) of \(self.width)x\(self.height)")
    if width == self.width && height == self.height { return self }
    var part: [UInt8] = []
    part.reserveCapacity(width * height * channels)
    for row in y..<y + height {
      let start = (row * self.width + x) * channels
      part += pixels[start..<start + width * channels]
    }
    return RasterImage(width: width, height: height, channels: channels, pixels: part)
  }

  /// Mirrored left to right.
  package func flipped() -> RasterImage {
    var mirrored = [UInt8](repeating: 0, count: pixels.count)
    let (from, stride) = (pixels.span, width * channels)
    var to = mirrored.mutableSpan
    for row in 0..<height {
      for x in 0..<width {
        for c in 0..<channels {
          to[row * stride + (width - 1 - x) * channels + c] = from[row * stride + x * channels + c]
        }
      }
    }
    return RasterImage(width: width, height: height, channels: channels, pixels: mirrored)
  }

  /// Colours from -1 to 1, `[height, width, 3]`.
  package func normalized() -> Tensor {
    var values = [Float](repeating: 0, count: width * height * 3)
    var to = values.mutableSpan
    let from = pixels.span
    for i in 0..<width * height {
      for c in 0..<3 {
        // The order of operations of torchvision's ToTensor and Normalize.
        to[i * 3 + c] = (Float(from[i * channels + c]) / 255 - 0.5) / 0.5
      }
    }
    return Tensor([height, width, 3], values)
  }

  /// One channel from 0 to 1, `[height, width]`.
  package func channel(_ index: Int) -> Tensor {
    precondition(index < channels, "channel \(index) of \(channels)")
    let from = pixels.span
    var values = [Float](repeating: 0, count: width * height)
    var to = values.mutableSpan
    for i in 0..<width * height { to[i] = Float(from[i * channels + index]) / 255 }
    return Tensor([height, width], values)
  }
}
