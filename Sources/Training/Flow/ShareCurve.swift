import ModelFamilies

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// How a share of noise follows from a number that is drawn, rising or falling all the way.
enum ShareCurve {
  /// A share that is even from 0 to 1.
  case even
  /// sigmoid(scale · N), shifted: s t / (1 + (s − 1) t).
  case logistic(scale: Double, shift: Double)
  /// Of a normal distribution of the logarithm of signal to noise: sigmoid(−x / 2).
  case logSNR(mean: Double, deviation: Double)

  /// Whether the number is even from 0 to 1 rather than normal.
  var isOfEven: Bool { if case .even = self { true } else { false } }

  /// - Parameter number: even from 0 to 1, or normal.
  func share(of number: Double) -> Double {
    switch self {
    case .even: number
    case .logistic(let scale, let shift): FlowShift.moved(Self.sigmoid(scale * number), by: shift)
    case .logSNR(let mean, let deviation): Self.sigmoid(-(mean + deviation * number) / 2)
    }
  }

  /// The share with so much of the distribution of the number below it.
  /// - Parameter quantile: 0 to 1.
  func share(at quantile: Double) -> Double {
    share(of: isOfEven ? quantile : Self.normal(atQuantile: quantile))
  }

  /// Between which quantiles shares lie in a range.
  /// - Returns: nil where none do.
  func quantiles(in range: ClosedRange<Double>) -> ClosedRange<Double>? {
    let falls = share(at: 1) < share(at: 0)
    func rising(_ quantile: Double) -> Double { share(at: falls ? 1 - quantile : quantile) }
    /// The quantile up to which shares are not yet in the range, or still in it or below.
    func bound(_ isBelow: (Double) -> Bool) -> Double {
      if !isBelow(rising(0)) { return 0 }
      if isBelow(rising(1)) { return 1 }
      var (low, high) = (0.0, 1.0)
      for _ in 0..<50 {
        let middle = (low + high) / 2
        if isBelow(rising(middle)) { low = middle } else { high = middle }
      }
      return high
    }
    let lower = bound { $0 < range.lowerBound }
    let upper = bound { $0 <= range.upperBound }
    guard lower < upper else { return nil }
    return falls ? (1 - upper)...(1 - lower) : lower...upper
  }

  static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  /// √2 · erf⁻¹(2q − 1), by Newton's method on Φ.
  static func normal(atQuantile quantile: Double) -> Double {
    let q = min(max(quantile, 1e-7), 1 - 1e-7)
    // Within 4.5e-4 (Abramowitz and Stegun 26.2.23), from where each step squares the error.
    let tail = min(q, 1 - q)
    let t = (-2 * log(tail)).squareRoot()
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328)
    let denominator = 1 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308))
    var x = t - numerator / denominator
    if q < 0.5 { x = -x }
    for _ in 0..<3 {
      let error = erfc(-x / 2.0.squareRoot()) / 2 - q
      x -= error * (2 * Double.pi).squareRoot() * exp(x * x / 2)
    }
    return x
  }
}
