package import Tensors

/// The normal distribution by Box and Muller, from sums, products, quotients and roots alone: these are
/// rounded alike on every machine, which logarithms and sines of C libraries are not.
enum Normal {
  /// Two independent numbers of mean 0 and deviation 1.
  static func pair(of bits: UInt64) -> (Float, Float) {
    let first = Double(UInt32(truncatingIfNeeded: bits)) + 1
    let radius = (-2 * logarithm(first * 0x1p-32)).squareRoot()
    let (sine, cosine) = sineAndCosine(turn: UInt32(truncatingIfNeeded: bits >> 32))
    return (Float(radius * cosine), Float(radius * sine))
  }

  /// ln x of a positive normal number, to 1e-15.
  static func logarithm(_ x: Double) -> Double {
    var (exponent, significand) = (Double(x.exponent), x.significand)
    if significand > 1.414_213_562_373_095 {
      significand /= 2
      exponent += 1
    }
    // ln m = 2 artanh((m − 1) / (m + 1)), where the argument is below 0.172.
    let s = (significand - 1) / (significand + 1)
    let square = s * s
    var series = 0.0
    for divisor in stride(from: 21.0, through: 1, by: -2) { series = series * square + 1 / divisor }
    return exponent * 0.693_147_180_559_945_3 + 2 * s * series
  }

  /// Of the angle 2π · turn / 2³², to 1e-15.
  static func sineAndCosine(turn: UInt32) -> (Double, Double) {
    // To the nearest quarter turn, then a series on ±π/4.
    let quarter = (turn &+ 1 << 29) >> 30
    let angle = Double(Int32(bitPattern: turn &- quarter << 30)) * (Double.pi * 0x1p-31)
    let square = angle * angle
    var (sine, cosine) = (1.0, 1.0)
    for n in stride(from: 16.0, through: 2, by: -2) {
      sine = 1 - sine * square / (n * (n + 1))
      cosine = 1 - cosine * square / (n * (n - 1))
    }
    sine *= angle
    return switch quarter {
    case 0: (sine, cosine)
    case 1: (cosine, -sine)
    case 2: (-sine, -cosine)
    default: (-cosine, sine)
    }
  }
}

extension Tensor {
  /// Normal of mean 0 and deviation 1.
  package init(normal shape: Shape, using generator: inout some RandomNumberGenerator) {
    self.init(zeros: shape)
    let count = shape.count
    var target = elements.mutableSpan
    for i in stride(from: 0, to: count, by: 2) {
      let pair = Normal.pair(of: generator.next())
      target[i] = pair.0
      if i + 1 < count { target[i + 1] = pair.1 }
    }
  }
}
