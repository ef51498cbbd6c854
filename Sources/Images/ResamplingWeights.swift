#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What each pixel of a row, or of a column, takes from which pixels of the source.
struct ResamplingWeights {
  /// Of the first source pixel, for each target pixel.
  private(set) var starts: [Int] = []
  /// `taps` for each target pixel, zero where fewer are needed.
  private(set) var weights: [Float] = []
  let taps: Int

  /// - Parameter enlarging: whether one of the two sides of the image grows, on which OpenCV's area
  ///   interpolation depends
  init(_ interpolation: Interpolation, from source: Int, to target: Int, enlarging: Bool) {
    let scale = Double(source) / Double(target)
    var rows: [(start: Int, weights: [Double])] = []
    rows.reserveCapacity(target)
    for position in 0..<target {
      switch interpolation {
      case .area where !enlarging: rows.append(Self.area(position, scale, source))
      case .area: rows.append(Self.areaBlend(position, scale))
      case .lanczos: rows.append(Self.windowed(position, scale, source, lobes: 3, Self.lanczos))
      case .box:
        rows.append(
          Self.windowed(position, scale, source, lobes: 0.5) { $0 > -0.5 && $0 <= 0.5 ? 1 : 0 })
      case .bilinear:
        let (start, part) = Self.split((Double(position) + 0.5) * scale - 0.5)
        rows.append((start, [1 - part, part]))
      case .bicubic:
        let (start, part) = Self.split((Double(position) + 0.5) * scale - 0.5)
        rows.append((start - 1, Self.cubic(part)))
      case .nearest:
        rows.append((Int((Double(position) + 0.5) * scale), [1]))
      }
    }
    // Beyond the edge the outermost pixel is repeated, which is adding its weights up.
    rows = rows.map { Self.clamped($0.start, $0.weights, source) }
    taps = rows.lazy.map(\.weights.count).max() ?? 1
    for row in rows {
      // All taps lie inside: shorter rows start earlier rather than reach beyond the end.
      let start = min(row.start, source - taps)
      starts.append(start)
      let lead = row.start - start
      weights += [Float](repeating: 0, count: lead)
      weights += row.weights.map { Float($0) }
      weights += [Float](repeating: 0, count: taps - lead - row.weights.count)
    }
  }

  private static func area(
    _ position: Int, _ scale: Double, _ source: Int
  ) -> (start: Int, weights: [Double]) {
    let (low, high) = (Double(position) * scale, Double(position + 1) * scale)
    let end = min(source, Int((high - 1e-9).rounded(.up)))
    let start = min(Int((low + 1e-9).rounded(.down)), end - 1)
    let weights = (start..<end).map { min(high, Double($0 + 1)) - max(low, Double($0)) }
    let sum = weights.reduce(0, +)
    return (start, weights.map { $0 / sum })
  }

  /// What OpenCV does with `INTER_AREA` where the image grows: pixels keep their area, and blend
  /// only where a target pixel lies across an edge.
  private static func areaBlend(_ position: Int, _ scale: Double) -> (Int, [Double]) {
    let start = Int((Double(position) * scale).rounded(.down))
    let part = Double(position + 1) - Double(start + 1) / scale
    let blend = part <= 0 ? 0 : part - part.rounded(.down)
    return (start, [1 - blend, blend])
  }

  /// A kernel with `lobes` pixels on each side, widened by what the image shrinks by.
  private static func windowed(
    _ position: Int, _ scale: Double, _ source: Int, lobes: Double, _ kernel: (Double) -> Double
  ) -> (start: Int, weights: [Double]) {
    let width = max(scale, 1)
    let center = (Double(position) + 0.5) * scale
    let start = max(0, Int(center - lobes * width + 0.5))
    let end = min(source, Int(center + lobes * width + 0.5))
    let weights = (start..<end).map { kernel((Double($0) - center + 0.5) / width) }
    let sum = weights.reduce(0, +)
    return (start, weights.map { sum == 0 ? $0 : $0 / sum })
  }

  private static func lanczos(_ x: Double) -> Double {
    func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(.pi * x) / (.pi * x) }
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0
  }

  /// Weights of the pixels at -1, 0, 1 and 2 (Keys 1981, a = -3/4).
  private static func cubic(_ part: Double) -> [Double] {
    func near(_ x: Double) -> Double { (1.25 * x - 2.25) * x * x + 1 }
    func far(_ x: Double) -> Double { ((-0.75 * x + 3.75) * x - 6) * x + 3 }
    return [far(1 + part), near(part), near(1 - part), far(2 - part)]
  }

  private static func split(_ x: Double) -> (Int, Double) {
    let floor = x.rounded(.down)
    return (Int(floor), x - floor)
  }

  private static func clamped(
    _ start: Int, _ weights: [Double], _ source: Int
  ) -> (start: Int, weights: [Double]) {
    let first = min(max(start, 0), source - 1)
    let last = min(max(start + weights.count - 1, 0), source - 1)
    var inside = [Double](repeating: 0, count: last - first + 1)
    for (i, weight) in weights.enumerated() {
      inside[min(max(start + i, first), last) - first] += weight
    }
    return (first, inside)
  }
}
