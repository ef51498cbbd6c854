package import Autograd
import LinearAlgebra
package import Sampling
package import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// What is minimized in one step.
package struct Loss {
  /// The mean over the samples: a scalar.
  package let total: Variable
  /// That of every sample, weighted; `total` is their mean.
  package let samples: [Double]

  /// The number of the first sample whose loss is not finite.
  package var firstNonFiniteSample: Int? { samples.firstIndex { !$0.isFinite } }
}

extension LossSettings {
  /// What of the loss is each sample's own.
  struct Sample {
    /// c of `huber` and `smooth_l1`.
    let threshold: Double
    /// What the mean over its elements is multiplied by.
    let weight: Double
    /// What differences are multiplied by before they are measured.
    var scale = 1.0
  }

  /// The mean over elements for each sample, weighted, and the mean over the samples.
  /// - Parameters:
  ///   - prediction, target: `[batch, …, channels]`
  ///   - samples: one for each of the batch.
  ///   - mask: `[batch, height', width']`, what each place counts; brought to the size of the prediction
  ///     `[batch, height, width, channels]` by areas
  func loss(
    _ prediction: Variable, target: Tensor, _ samples: [Sample], mask: Tensor? = nil
  ) -> Loss {
    let shape = prediction.shape
    precondition(
      target.shape == shape && samples.count == shape.rows,
      "a loss of \(shape) and \(target.shape), \(samples.count) samples")
    let (width, channels) = (shape.columns, shape.dimensions.last ?? 1)
    let mask = mask?.averaged(toward: shape)
    var (losses, gradient) = ([Double](), Tensor(zeros: shape))
    for (index, sample) in samples.enumerated() {
      let element = ElementLoss(
        kind, threshold: sample.threshold, scale: Float(sample.scale))
      let weight = sample.weight / Double(width)
      let range = index * width..<(index + 1) * width
      let sum = element.sum(
        prediction.value, target, range, times: Float(weight / Double(shape.rows)),
        gradient: &gradient, mask: mask, channels: channels)
      losses.append(sum * weight)
    }
    let total = losses.reduce(0, +) / Double(losses.count)
    return Loss(
      total: .record(Tensor(scalar: Float(total)), from: [prediction]) { seed in
        guard let factor = seed.elements.first, factor != 1 else { return [gradient] }
        return [gradient * factor]
      }, samples: losses)
  }

  /// The same at timesteps of a schedule.
  /// - Parameter weights: a factor for each sample, as `prior_loss_weight`
  package func loss(
    _ prediction: Variable, target: Tensor, timesteps: [Int], _ schedule: NoiseSchedule,
    weights: [Float], mask: Tensor? = nil
  ) -> Loss {
    precondition(
      timesteps.count == weights.count,
      "\(timesteps.count) timesteps, \(weights.count) weights")
    let samples = zip(timesteps, weights).map { timestep, weight in
      Sample(
        threshold: threshold(at: timestep, schedule),
        weight: self.weight(at: timestep, schedule) * Double(weight))
    }
    return loss(prediction, target: target, samples, mask: mask)
  }

  /// c of `huber` and `smooth_l1`.
  func threshold(at timestep: Int, _ schedule: NoiseSchedule) -> Double {
    switch huberSchedule {
    case .constant: return huberC * huberScale
    case .exponential:
      return exp(log(huberC) * Double(timestep) / Double(NoiseSchedule.timestepCount)) * huberScale
    case .snr:
      let alpha = Double(schedule.cumulativeAlphas[timestep])
      let deviation = ((1 - alpha) / alpha).squareRoot()
      return (1 - huberC) / ((1 + deviation) * (1 + deviation)) + huberC
    }
  }
}

extension LossSettings {
  /// c where there is no schedule of noise; that of `snr` is one.
  /// - Parameter share: of noise, 0 to 1.
  func threshold(atShare share: Double) -> Double {
    huberSchedule == .exponential ? pow(huberC, share) * huberScale : huberC * huberScale
  }
}

/// The measure of one difference, with its derivative.
private struct ElementLoss {
  let kind: LossSettings.Kind
  /// c, and 1 where the kind has none.
  let threshold: Float
  /// Of the root, before it is derived: 2c of `huber`, 2 of `smooth_l1`.
  let factor: Float
  /// Of the difference.
  let scale: Float

  init(_ kind: LossSettings.Kind, threshold: Double, scale: Float) {
    self.kind = kind
    self.scale = scale
    self.threshold = Float(threshold)
    factor = kind == .huber ? 2 * Float(threshold) : 2
  }

  func callAsFunction(_ d: Float) -> (value: Float, derivative: Float) {
    switch kind {
    case .l2: return (d * d, 2 * d)
    case .l1: return (abs(d), d == 0 ? 0 : (d < 0 ? -1 : 1))
    case .huber, .smoothL1:
      let root = (d * d + threshold * threshold).squareRoot()
      return (factor * (root - threshold), factor * d / root)
    }
  }

  /// The sum over a range of elements; `weight` times its gradient goes to `gradient`.
  func sum(
    _ prediction: Tensor, _ target: Tensor, _ range: Range<Int>, times weight: Float,
    gradient: inout Tensor, mask: Tensor?, channels: Int
  ) -> Double {
    let (x, y) = (prediction.elements.span, target.elements.span)
    var g = gradient.elements.mutableSpan
    var sum = 0.0
    for i in range {
      let share = mask.map { $0.elements[i / channels] } ?? 1
      let (value, derivative) = self((x[i] - y[i]) * scale)
      sum += Double(value * share)
      g[i] = derivative * scale * share * weight
    }
    return sum
  }
}

extension Tensor {
  /// A mask `[batch, height', width']` as `[batch, height, width]` of an image of the given shape: each place
  /// has the mean of those that it covers.
  func averaged(toward shape: Shape) -> Tensor {
    let (from, to) = (self.shape.dimensions, shape.dimensions)
    precondition(
      from.count == 3 && to.count == 4 && from[0] == to[0], "a mask \(self.shape) for \(shape)")
    guard from[1] != to[1] || from[2] != to[2] else { return self }
    let rows = Self.areas(from: from[1], to: to[1])
    let columns = Self.areas(from: from[2], to: to[2])
    var result: [Float] = []
    result.reserveCapacity(to[0] * to[1] * to[2])
    for sample in 0..<to[0] {
      for row in rows {
        for column in columns {
          var sum = 0.0
          for y in row {
            for x in column { sum += Double(elements[(sample * from[1] + y) * from[2] + x]) }
          }
          result.append(Float(sum / Double(row.count * column.count)))
        }
      }
    }
    return Tensor([to[0], to[1], to[2]], result)
  }

  /// Which places of an axis each place of another of its length covers, in part or whole.
  private static func areas(from: Int, to: Int) -> [Range<Int>] {
    (0..<to).map { i in i * from / to..<((i + 1) * from + to - 1) / to }
  }
}
