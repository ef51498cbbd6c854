import Foundation
import ModelFamilies
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Times of flow matching as musubi-tuner's own code draws them, and by the rules of sd-scripts:
/// `scripts/fixtures/training/make-timestep-fixtures.py`, `make-flow-rule-fixtures.py`.
struct TimestepSamplingTests {
  struct Golden: Decodable {
    struct Case: Decodable {
      let settings: [String: Setting]
      /// Of a million draws: smallest, …, largest.
      let quantiles: [Double]
    }

    enum Setting: Decodable {
      case text(String)
      case number(Double)
      case flag(Bool)

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
          self = .text(text)
        } else if let flag = try? container.decode(Bool.self) {
          self = .flag(flag)
        } else {
          self = .number(try container.decode(Double.self))
        }
      }

      var text: String { if case .text(let text) = self { text } else { "" } }
      var number: Double { if case .number(let number) = self { number } else { 0 } }
    }

    let height, width: Int
    let cases: [String: Case]
    let weightTimes: [Double]
    let weights: [String: [Double]]
  }

  static let golden: Golden = {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let url = URL(filePath: Fixtures.path("training/numerics/timesteps.json").string)
    return try! decoder.decode(Golden.self, from: Data(contentsOf: url))
  }()

  /// By the rules of sd-scripts.
  private struct RuledGolden: Decodable {
    let cases: [String: Golden.Case]
  }

  private static let ruled: [String: Golden.Case] = {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let url = URL(filePath: Fixtures.path("training/numerics/flow-rules.json").string)
    return try! decoder.decode(RuledGolden.self, from: Data(contentsOf: url)).cases
  }()

  private static func settings(_ given: [String: Golden.Setting]) -> FlowSettings {
    var settings = FlowSettings()
    for (key, value) in given {
      switch key {
      case "timestepSampling", "timestep_sampling":
        settings.sampling = TimestepSampling(rawValue: value.text)!
      case "weightingScheme", "weighting_scheme":
        settings.weighting = FlowWeighting(rawValue: value.text)!
      case "discreteFlowShift", "discrete_flow_shift": settings.shift = value.number
      case "sigmoidScale", "sigmoid_scale": settings.sigmoidScale = value.number
      case "logitMean", "logit_mean": settings.logitMean = value.number
      case "logitStd", "logit_std": settings.logitDeviation = value.number
      case "minTimestep", "min_timestep":
        settings.range = value.number...settings.range.upperBound
      case "maxTimestep", "max_timestep":
        settings.range = settings.range.lowerBound...value.number
      case "steps": settings.rules.steps = FlowRules.Steps(rawValue: value.text)!
      case "trainingShift", "training_shift": settings.trainingShift = value.number
      case "preserveDistributionShape", "preserve_distribution_shape": settings.keepsShape = true
      default: Issue.record("no setting '\(key)'")
      }
    }
    return settings
  }

  /// Kolmogorov and Smirnov: of 100000 draws, at a level of 0.1 %.
  @Test(arguments: golden.cases.keys.sorted()) func timesLieAsThere(_ name: String) throws {
    try compare(name, try #require(Self.golden.cases[name]), offset: 1)
  }

  @Test(arguments: ruled.keys.sorted()) func timesLieByRules(_ name: String) throws {
    try compare(name, try #require(Self.ruled[name]), offset: 0)
  }

  private func compare(_ name: String, _ found: Golden.Case, offset: Double) throws {
    let settings = Self.settings(found.settings)
    let count = 100_000
    let times = (0..<count).map {
      settings.moment(
        height: Self.golden.height, width: Self.golden.width, offset: offset,
        SampleRandomness(seed: 7, epoch: 0, sample: $0)
      ).time
    }.sorted()
    var largest = 0.0
    let last = Double(found.quantiles.count - 1)
    for (index, quantile) in found.quantiles.enumerated() {
      // Whole timesteps are on both sides of a quantile: of equal times all, and none.
      let shares = (
        Double(times.partition(below: quantile - 0.001)) / Double(count),
        Double(times.partition(below: quantile + 0.001)) / Double(count)
      )
      let expected = (
        Double(found.quantiles.partition(below: quantile - 0.001)) / last,
        Double(found.quantiles.partition(below: quantile + 0.001) - 1) / last
      )
      guard index > 0, index < found.quantiles.count - 1 else { continue }
      // The steps of the table are its own error.
      largest = max(largest, expected.0 - 1 / last - shares.0, shares.0 - expected.0 - 1 / last)
      largest = max(largest, expected.1 - 1 / last - shares.1, shares.1 - expected.1 - 1 / last)
    }
    print(name, "largest distance", largest)
    #expect(largest <= 1.95 / Double(count).squareRoot() + 0.002)
    // The same for every t: the share is what the model is told.
    let moment = settings.moment(
      height: Self.golden.height, width: Self.golden.width, offset: offset,
      SampleRandomness(seed: 7, epoch: 0, sample: 5))
    let added = settings.sampling == .sigma ? 0 : offset
    #expect(abs(moment.share * 1000 + added - moment.time) < 1e-9)
  }

  @Test func weightsAreThoseOfTheNearestTimestep() throws {
    let golden = Self.golden
    for (name, expected) in golden.weights {
      let scheme = try #require(
        FlowWeighting(rawValue: name == "sigmaSqrt" ? "sigma_sqrt" : name))
      for (time, weight) in zip(golden.weightTimes, expected) {
        let found = scheme.weight(at: FlowSettings().sigma(at: Float(time)))
        // f32 there.
        #expect(abs(found - weight) <= 1e-5 * weight, "\(name) at \(time)")
      }
    }
  }

  /// Each part of 0 to 1 has as many samples of an epoch, whatever the seed.
  @Test func bucketsShareAnEpoch() {
    var settings = FlowSettings()
    settings.sampling = .uniform
    settings.bucketCount = 4
    for epoch in 0..<3 {
      var counts = [0, 0, 0, 0]
      for sample in 0..<22 {
        let moment = SampleRandomness(seed: 3, epoch: epoch, sample: sample)
        let place = ShuffledOrder(22, moment).place(of: sample)
        let share = settings.moment(height: 8, width: 8, offset: 1, moment, place: (place, 22))
          .share
        counts[Int(share * 4)] += 1
      }
      #expect(counts == [6, 6, 5, 5])
    }
  }

  /// Of a distribution that is cut off each part of what is left has as many samples of an epoch: parts end at the
  /// quantiles of what musubi-tuner draws there, which are known to a thousandth.
  @Test func bucketsShareWhatIsLeft() throws {
    let golden = Self.golden
    let found = try #require(golden.cases["shift-kept"])
    var settings = Self.settings(found.settings)
    settings.bucketCount = 4
    let count = 2000
    for epoch in 0..<2 {
      var counts = [0, 0, 0, 0]
      for sample in 0..<count {
        let moment = SampleRandomness(seed: 3, epoch: epoch, sample: sample)
        let place = ShuffledOrder(count, moment).place(of: sample)
        let time = settings.moment(
          height: golden.height, width: golden.width, offset: 1, moment, place: (place, count)
        ).time
        counts[[250, 500, 750].count { found.quantiles[$0] < time }] += 1
      }
      print("samples of each part", counts)
      #expect(counts.allSatisfy { abs($0 - count / 4) <= count / 500 }, "\(counts)")
    }
  }

  /// Ways that mix keep what each has in the range: as without parts, which are drawn until they lie in it.
  @Test(arguments: [TimestepSampling.qinglongFlux, .qinglongQwen, .logSNR, .uniform])
  func partsDoNotMoveWhatIsLeft(_ sampling: TimestepSampling) {
    var settings = FlowSettings()
    settings.sampling = sampling
    settings.keepsShape = true
    settings.range = 150...600
    func times(parts: Int?) -> [Double] {
      settings.bucketCount = parts
      return (0..<20_000).map { sample in
        let moment = SampleRandomness(seed: 5, epoch: 0, sample: sample)
        return settings.moment(
          height: 64, width: 104, offset: 0, moment, place: (sample, 20_000)
        ).time
      }.sorted()
    }
    let (plain, divided) = (times(parts: nil), times(parts: 5))
    #expect(divided.allSatisfy { 150...600 ~= $0 })
    var largest = 0.0
    for time in stride(from: 150.0, through: 600, by: 1) {
      let counts = (plain.partition(below: time), divided.partition(below: time))
      largest = max(largest, abs(Double(counts.0 - counts.1)) / 20_000)
    }
    print(sampling, "largest distance", largest)
    // Kolmogorov and Smirnov for two samples, at a level of 0.1 %.
    #expect(largest <= 1.95 * (2 / 20_000.0).squareRoot())
  }

  @Test(arguments: [1, 2, 3, 17, 64, 1000]) func anOrderHasEveryNumberOnce(_ count: Int) {
    let order = ShuffledOrder(count, SampleRandomness(seed: 9, epoch: 2, sample: 0))
    #expect(Set((0..<count).map { order.place(of: $0) }) == Set(0..<count))
  }

  /// The inverse of the normal distribution against its own definition.
  @Test func quantilesOfTheNormalDistribution() {
    for (q, x) in [(0.5, 0.0), (0.975, 1.959_963_984_540_054), (0.001, -3.090_232_306_167_813)] {
      #expect(abs(ShareCurve.normal(atQuantile: q) - x) <= 1e-9)
    }
  }
}

extension [Double] {
  /// How many of ascending numbers are below one.
  fileprivate func partition(below bound: Double) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < bound { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
