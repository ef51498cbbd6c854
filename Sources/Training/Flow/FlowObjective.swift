import Autograd
import ModelFamilies
import Tensors

/// The flow from latents to noise, n − x, in a mixture (1 − t) x + t n of the two (Lipman et al. 2022, Liu et al. 2022).
struct FlowObjective: Objective {
  let settings: FlowSettings
  let loss: LossSettings
  /// What is added to a time, see `Prediction.flow`.
  let offset: Double
  /// Samples of an epoch.
  let sampleCount: Int

  var timeCount: Int { 1000 }

  /// A fifth, two fifths … of the range.
  var judgedTimes: [Float] {
    let (low, high) = (settings.range.lowerBound, settings.range.upperBound)
    return (1...4).map { Float(low + Double($0) * (high - low) / 5 + offset) }
  }

  func problem(
    _ latents: Tensor, at times: [Float]?, _ randomness: [SampleRandomness]
  ) -> Problem {
    let extents = latents.shape.dimensions
    precondition(extents[0] == randomness.count, "\(randomness.count) samples in \(latents.shape)")
    let (height, width) = (extents[extents.count - 3], extents[extents.count - 2])
    let moments = randomness.enumerated().map { index, sample in
      if let times {
        let time = Double(times[index])
        return FlowSettings.Moment(share: (time - offset) / 1000, time: time)
      }
      return settings.moment(
        height: height, width: width, offset: offset, sample, place: place(of: sample))
    }
    let shape = Shape(Array(extents.dropFirst()))
    var noise: [Float] = []
    noise.reserveCapacity(latents.count)
    for sample in randomness {
      var generator = sample.generator(for: .noise)
      noise += Tensor(normal: shape, using: &generator).elements
    }
    return Self.problem(latents, Tensor(latents.shape, noise), moments, settings.prediction)
  }

  /// - Parameter noise: of the shape of the latents, `[batch, …]`.
  static func problem(
    _ latents: Tensor, _ noise: Tensor, _ moments: [FlowSettings.Moment],
    _ prediction: FlowPrediction = .raw
  ) -> Problem {
    let (count, width) = (latents.count, latents.count / max(moments.count, 1))
    var (input, target) = ([Float](), [Float]())
    input.reserveCapacity(count)
    target.reserveCapacity(count)
    let (x, n) = (latents.elements.span, noise.elements.span)
    for (sample, moment) in moments.enumerated() {
      let share = Float(moment.share)
      for i in sample * width..<(sample + 1) * width {
        input.append((1 - share) * x[i] + share * n[i])
        target.append(n[i] - x[i])
      }
    }
    let mixture = Tensor(latents.shape, input)
    return Problem(
      input: mixture,
      target: prediction.target(
        Tensor(latents.shape, target), in: mixture, at: moments.map(\.share)),
      times: moments.map { Float($0.time) })
  }

  func loss(
    of problem: Problem, _ prediction: Variable, weights: [Float], mask: Tensor?
  ) -> Loss {
    let samples = zip(problem.times, weights).map { time, weight in
      let (share, sigma) = ((Double(time) - offset) / 1000, settings.sigma(at: time))
      return LossSettings.Sample(
        threshold: loss.threshold(atShare: Double(time) / 1000),
        weight: Double(weight) * (settings.weighsLoss ? settings.weighting.weight(at: sigma) : 1),
        scale: settings.rules.compared == .latents ? share : settings.prediction.scale(at: share))
    }
    return loss.loss(prediction, target: problem.target, samples, mask: mask)
  }

  /// Where a sample stands in an order of chance of its epoch.
  private func place(of sample: SampleRandomness) -> (index: Int, count: Int)? {
    guard sampleCount > 0, sample.sample < sampleCount else { return nil }
    return (ShuffledOrder(sampleCount, sample).place(of: sample.sample), sampleCount)
  }
}
