import Images

/// A small change of colour that a third of the images undergo, of hue or of gamma: what sd-scripts' `color_aug`
/// takes its numbers from (library/train_util.py, `AugHelper`).
struct ColorVariation {
  private enum Change {
    case none
    /// In turns.
    case hue(Float)
    case gamma(Float)
  }

  private let change: Change

  init(using generator: inout CounterGenerator) {
    let (chance, kind) = (generator.uniform(), generator.uniform())
    let strength = generator.uniform() * 2 - 1
    if chance > 0.33 {
      change = .none
    } else if kind > 0.5 {
      change = .hue(strength * 8 / 180)
    } else {
      change = .gamma(1 + strength * 0.05)
    }
  }

  func applied(to image: RasterImage) -> RasterImage {
    var pixels = image.pixels
    switch change {
    case .none: return image
    case .gamma(let gamma):
      let table = (0..<256).map { value in
        UInt8(max(0, min(255, (Self.power(Float(value) / 255, gamma) * 255).rounded())))
      }
      for i in pixels.indices where i % image.channels < 3 { pixels[i] = table[Int(pixels[i])] }
    case .hue(let turn):
      for i in stride(from: 0, to: pixels.count, by: image.channels) {
        let turned = Self.turned(
          (Float(pixels[i]), Float(pixels[i + 1]), Float(pixels[i + 2])), by: turn)
        pixels[i] = UInt8(turned.0.rounded())
        pixels[i + 1] = UInt8(turned.1.rounded())
        pixels[i + 2] = UInt8(turned.2.rounded())
      }
    }
    return RasterImage(
      width: image.width, height: image.height, channels: image.channels, pixels: pixels)
  }

  /// Another hue of equal saturation and value.
  private static func turned(
    _ color: (Float, Float, Float), by turn: Float
  ) -> (Float, Float, Float) {
    let (r, g, b) = color
    let value = max(r, g, b)
    let spread = value - min(r, g, b)
    guard spread > 0 else { return color }
    let sixth: Float =
      if value == r { (g - b) / spread } else if value == g { 2 + (b - r) / spread } else {
        4 + (r - g) / spread
      }
    let hue = sixth + turn * 6 + 6
    func channel(_ offset: Float) -> Float {
      let k = (offset + hue).truncatingRemainder(dividingBy: 6)
      return value - spread * max(0, min(k, 4 - k, 1))
    }
    return (channel(5), channel(3), channel(1))
  }

  private static func power(_ x: Float, _ y: Float) -> Float { pow(x, y) }
}

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif
