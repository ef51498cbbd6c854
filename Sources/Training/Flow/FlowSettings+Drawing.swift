import ModelFamilies
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
    let ways = ways(height: height, width: width)
    func moment(_ share: Double) -> Moment { Moment(share: share, time: share * 1000 + offset) }
    let (low, high) = (range.lowerBound / 1000, range.upperBound / 1000)
    guard keepsShape else { return moment(low + Self.share(ways, &draws) * (high - low)) }
    if let first = draws.first, let share = Self.share(ways, in: low...high, at: first, &draws) {
      return moment(share)
    }
    for _ in 0..<Self.mostRounds {
      let share = Self.share(ways, &draws)
      if low...high ~= share { return moment(share) }
    }
    // A range that the distribution all but leaves out.
    return moment(min(max(Self.share(ways, &draws), low), high))
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
      return ShareCurve.normal(atQuantile: first)
    }

    /// 0 up to below 1, always drawn.
    mutating func decision() -> Double { Double(generator.uniform()) }
  }

  // MARK: Whole timesteps

  /// A whole timestep of the density that `weighting` names, as the rules count it.
  ///
  /// Trainers differ in where they count from. The range has the same sense as otherwise: 0 is no noise.
  private func sigmaMoment(_ draws: inout Draws) -> Moment {
    let fraction: Double =
      switch weighting {
      case .logitNormal: ShareCurve.sigmoid(logitMean + logitDeviation * draws.normal())
      case .mode: Self.mode(draws.uniform(), modeScale)
      case .none, .uniform, .cosmap, .sigmaSqrt: draws.uniform()
      }
    let (low, high) = (range.lowerBound, range.upperBound)
    switch rules.steps {
    case .even:
      // Rounded down, and never the clean latents themselves.
      let step = min(max((1000 - high + fraction * (high - low)).rounded(.down), 0), 999)
      return Moment(share: 1 - step / 1000, time: 1000 - step)
    case .shifted:
      let step = min(max((1000 * fraction).rounded(.down), 0), 999)
      let time = low + FlowShift.moved(1 - step / 1000, by: shift) * (high - low)
      return Moment(share: time / 1000, time: time)
    case .dense:
      let shifted = FlowShift.moved(fraction, by: trainingShift)
      let step = min(max((low + shifted * (high - low)).rounded(.down), 0), 1000)
      return Moment(share: step / 1000, time: step)
    }
  }

  /// Heavier in the middle, or at both ends, by the sign of the scale.
  private static func mode(_ u: Double, _ scale: Double) -> Double {
    let cosine = cos(.pi * u / 2)
    return 1 - u - scale * (cosine * cosine - 1 + u)
  }

  // MARK: Shares

  /// A curve, and the number between 0 and 1 up to which it is the one that is chosen.
  private typealias Way = (until: Double, curve: ShareCurve)

  private func ways(height: Int, width: Int) -> [Way] {
    let bySize = ShareCurve.logistic(
      scale: sigmoidScale, shift: exp(sampling.meanShift(height: height, width: width) ?? 0))
    let signal = ShareCurve.logSNR(mean: logitMean, deviation: logitDeviation)
    let clear = ShareCurve.logSNR(mean: 5.36, deviation: 1)
    return switch sampling {
    case .sigma, .uniform: [(1, .even)]
    case .sigmoid: [(1, .logistic(scale: sigmoidScale, shift: 1))]
    case .shift: [(1, .logistic(scale: sigmoidScale, shift: shift))]
    case .fluxShift, .flux2Shift, .qwenShift, .krea2Shift: [(1, bySize)]
    case .logSNR: [(1, signal)]
    case .qinglongFlux: [(0.79, bySize), (0.9, signal), (1, clear)]
    case .qinglongQwen: [(0.95, bySize), (1, clear)]
    }
  }

  private static func share(_ ways: [Way], _ draws: inout Draws) -> Double {
    let decision = ways.count > 1 ? draws.decision() : 0
    guard let curve = (ways.first { decision < $0.until } ?? ways.last)?.curve else { return 0 }
    return curve.share(of: curve.isOfEven ? draws.uniform() : draws.normal())
  }

  /// The share at a quantile of what the ways give in a range, which is what is left of them where shares are drawn
  /// until one lies in it.
  ///
  /// musubi-tuner draws each of those rounds from another part of 0 to 1. In the long run as many shares come then from
  /// each part in the range; here they do in every epoch, and parts of the range are as many as were asked for.
  /// - Returns: nil where there is nothing in the range.
  private static func share(
    _ ways: [Way], in range: ClosedRange<Double>, at quantile: Double, _ draws: inout Draws
  ) -> Double? {
    var inside: [(until: Double, curve: ShareCurve, quantiles: ClosedRange<Double>)] = []
    var (start, total) = (0.0, 0.0)
    for way in ways {
      if let quantiles = way.curve.quantiles(in: range) {
        total += (way.until - start) * (quantiles.upperBound - quantiles.lowerBound)
        inside.append((total, way.curve, quantiles))
      }
      start = way.until
    }
    let decision = ways.count > 1 ? draws.decision() * total : 0
    guard let chosen = inside.first(where: { decision < $0.until }) ?? inside.last else {
      return nil
    }
    let (first, last) = (chosen.quantiles.lowerBound, chosen.quantiles.upperBound)
    let share = chosen.curve.share(at: first + quantile * (last - first))
    return min(max(share, range.lowerBound), range.upperBound)
  }
}
