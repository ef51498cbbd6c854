/// A white sheet on which pictures and labels are put.
struct Canvas {
  let width: Int
  let height: Int
  /// `[height, width, 3]`
  private var pixels: [UInt8]

  init(width: Int, height: Int) {
    (self.width, self.height) = (width, height)
    pixels = [UInt8](repeating: 255, count: width * height * 3)
  }

  var image: RasterImage { RasterImage(width: width, height: height, channels: 3, pixels: pixels) }

  /// A picture with its corner at column `x` and line `y`; transparency is dropped.
  /// - Precondition: it lies inside.
  mutating func put(_ image: RasterImage, x: Int, y: Int) {
    precondition(
      x >= 0 && y >= 0 && x + image.width <= width && y + image.height <= height,
      "\(image.width)x\(image.height) pixels at (\(x), \(y)) of \(width)x\(height)")
    let (from, channels) = (image.pixels.span, image.channels)
    let stride = width
    var to = pixels.mutableSpan
    for line in 0..<image.height {
      for column in 0..<image.width {
        let source = (line * image.width + column) * channels
        let target = ((y + line) * stride + x + column) * 3
        for c in 0..<3 { to[target + c] = from[source + c] }
      }
    }
  }

  /// A line of text in black; what lies outside is left out.
  /// - Parameter scale: pixels of a dot, along each side.
  mutating func write(_ text: String, x: Int, y: Int, scale: Int) {
    let (width, height) = (width, height)
    var to = pixels.mutableSpan
    for (number, letter) in text.enumerated() {
      for (line, dots) in BitmapFont.lines(of: letter).enumerated() {
        for dot in 0..<BitmapFont.width where dots >> (BitmapFont.width - 1 - dot) & 1 == 1 {
          let left = x + (number * BitmapFont.advance + dot) * scale
          for row in y + line * scale..<y + (line + 1) * scale where (0..<height).contains(row) {
            for column in left..<left + scale where (0..<width).contains(column) {
              for c in 0..<3 { to[(row * width + column) * 3 + c] = 0 }
            }
          }
        }
      }
    }
  }
}
