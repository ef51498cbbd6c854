#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// What latents consist of at a time: signal · x + noise · ε, where signal² + noise² = 1.
struct NoiseLevel: Hashable, Sendable {
  /// √ᾱ, 0 to 1.
  let signal: Double
  /// √(1 − ᾱ), 0 to 1.
  let noise: Double

  /// - Parameter alpha: ᾱ, 0 to 1.
  init(cumulativeAlpha alpha: Float) {
    signal = Double(alpha).squareRoot()
    noise = (1 - Double(alpha)).squareRoot()
  }

  /// - Parameter sigma: noise / signal, 0 or more.
  init(sigma: Double) {
    signal = 1 / (sigma * sigma + 1).squareRoot()
    noise = sigma * signal
  }

  static let clean = NoiseLevel(sigma: 0)

  /// noise / signal, by which the solvers of Karras et al. 2022 count; infinite where no signal is left.
  var sigma: Double { noise / signal }
  /// λ = ln(signal / noise), by which those of Lu et al. 2022 count.
  var logRatio: Double { log(signal / noise) }
}
