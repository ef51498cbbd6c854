import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

extension FlowSettings {
  /// A share of noise, with the time that a model is told for it.
  struct Moment: Equatable {
    /// From 0, no noise, to 1, noise alone.
    let share: Double
    /// In thousandths, and `offset` more where it is no whole timestep.
    let time: Double
  }

  /// What is drawn for a sample.
  /// - Parameters:
  ///   - height, width: of its latents.
  ///   - offset: what the makers of the model add to the time, see `Prediction.flow`.
  ///   - place: of the sample among all of its epoch, in an order of chance; nil if they are not known.
  func moment(
    height: Int, width: Int, offset: Double, _ sample: SampleRandomness,
    place: (index: Int, count: Int)? = nil
  ) -> Moment {
    var draws = Draws(sample.generator(for: .timestep))
    if let bucketCount, bucketCount > 1, let place {
      // As many from each part of 0 to 1.
      draws.first = (Double(place.index % bucketCount) + draws.uniform()) / Double(bucketCount)
    }
    if sampling == .sigma { return sigmaMoment(&draws) }
    func share() -> Double { self.share(height: height, width: width, &draws) }
    let (low, high) = (range.lowerBound / 1000, range.upperBound / 1000)
    guard keepsShape else {
      let share = low + share() * (high - low)
      return Moment(share: share, time: share * 1000 + offset)
    }
    for _ in 0..<Self.mostRounds {
      let share = share()
      if low...high ~= share { return Moment(share: share, time: share * 1000 + offset) }
    }
    // A range that the distribution all but leaves out.
    let share = min(max(share(), low), high)
    return Moment(share: share, time: share * 1000 + offset)
  }

  /// How often a share is drawn anew, as musubi-tuner does.
  private static let mostRounds = 1000

  /// Numbers of one sample.
  private struct Draws {
    private var generator: CounterGenerator
    /// What takes the place of the next number.
    var first: Double?

    init(_ generator: CounterGenerator) { self.generator = generator }

    /// 0 up to below 1.
    mutating func uniform() -> Double { first.take() ?? Double(generator.uniform()) }

    /// Of mean 0 and deviation 1.
    mutating func normal() -> Double {
      guard let first = first.take() else { return Double(generator.normal()) }
      return FlowSettings.normal(atQuantile: first)
    }

    /// 0 up to below 1, always drawn.
    mutating func decision() -> Double { Double(generator.uniform()) }
  }

  /// A whole timestep of the density that `weighting` names.
  ///
  /// Both trainers count from the noise here. The range has the same sense as otherwise: 0 is no noise.
  private func sigmaMoment(_ draws: inout Draws) -> Moment {
    let fraction: Double =
      switch weighting {
      case .logitNormal: Self.sigmoid(logitMean + logitDeviation * draws.normal())
      case .mode: Self.mode(draws.uniform(), modeScale)
      case .none, .uniform, .cosmap, .sigmaSqrt: draws.uniform()
      }
    let (first, last) = (1000 - range.upperBound, 1000 - range.lowerBound)
    // Rounded down, and never the clean latents themselves.
    let step = min(max((first + fraction * (last - first)).rounded(.down), 0), 999)
    return Moment(share: 1 - step / 1000, time: 1000 - step)
  }

  private func share(height: Int, width: Int, _ draws: inout Draws) -> Double {
    switch sampling {
    case .sigma, .uniform: return draws.uniform()
    case .sigmoid: return Self.sigmoid(sigmoidScale * draws.normal())
    case .shift: return shifted(by: shift, &draws)
    case .fluxShift, .flux2Shift, .qwenShift, .krea2Shift:
      return shifted(by: exp(sampling.meanShift(height: height, width: width) ?? 0), &draws)
    case .logSNR: return Self.share(ofLogSNR: logitMean + logitDeviation * draws.normal())
    case .qinglongFlux, .qinglongQwen:
      let decision = draws.decision()
      let isFlux = sampling == .qinglongFlux
      if decision < (isFlux ? 0.79 : 0.95) {
        return shifted(by: exp(sampling.meanShift(height: height, width: width) ?? 0), &draws)
      }
      if isFlux, decision < 0.9 {
        return Self.share(ofLogSNR: logitMean + logitDeviation * draws.normal())
      }
      return Self.share(ofLogSNR: 5.36 + draws.normal())
    }
  }

  private func shifted(by shift: Double, _ draws: inout Draws) -> Double {
    let share = Self.sigmoid(sigmoidScale * draws.normal())
    return shift * share / (1 + (shift - 1) * share)
  }

  private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  private static func share(ofLogSNR value: Double) -> Double { sigmoid(-value / 2) }

  /// Heavier in the middle, or at both ends, by the sign of the scale.
  private static func mode(_ u: Double, _ scale: Double) -> Double {
    let cosine = cos(.pi * u / 2)
    return 1 - u - scale * (cosine * cosine - 1 + u)
  }

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
