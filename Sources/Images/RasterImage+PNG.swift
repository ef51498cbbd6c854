import CImages

extension RasterImage {
  /// zlib's: a third of the time of its standard 6, and pictures with grain come out no larger.
  private static let compressionLevel: Int32 = 4

  /// The image as a PNG file, RGB or RGBA of 8 bits.
  /// - Parameter texts: what the file says besides, in this order, before the pixels.
  /// - Precondition: neither side is 0.
  package func png(_ texts: [PNGText] = []) -> [UInt8] {
    precondition(width > 0 && height > 0, "a PNG file of \(width)x\(height) pixels")
    let chunks = texts.flatMap { text in
      let (name, bytes) = text.chunk
      let count = UInt32(bytes.count)
      return name.utf8 + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) } + bytes
    }
    var file = unsafe lyco_png_file()
    var message = [CChar](repeating: 0, count: Int(LYCO_IMAGE_MESSAGE))
    let done = unsafe chunks.withUnsafeBufferPointer { chunks in
      unsafe pixels.withUnsafeBufferPointer { pixels in
        unsafe lyco_png_encode(
          pixels.baseAddress, UInt32(width), UInt32(height), Int32(channels),
          Self.compressionLevel, chunks.baseAddress, chunks.count, &file, &message)
      }
    }
    // Only memory can lack.
    precondition(
      done == 1,
      "a PNG file of \(width)x\(height) pixels: "
        + String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
    defer { unsafe lyco_png_free(&file) }
    return unsafe Array(UnsafeBufferPointer(start: file.bytes, count: file.count))
  }
}
