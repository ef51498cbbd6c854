#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// By what learning rates are multiplied at every step.
///
/// The curves are those of the transformers and diffusers packages, `rex` that of musubi-tuner.
package struct RateSchedule: Sendable {
  /// What comes after the rates have risen.
  enum Curve: Sendable {
    case constant
    case linear
    /// `waves` are 0.5 for one fall from 1 to `lowest`.
    case cosine(waves: Double, lowest: Double)
    case restarts(cycles: Double)
    case polynomial(power: Double, last: Double)
    case inverseRoot(timescale: Double)
    case stableDecay(StableDecay)
    /// Factors, each up to a step.
    case pieces([(limit: Int, factor: Double)], last: Double)
    /// Chen, Wolfe and Kyrillidis 2021, "REX: Revisiting budgeted training with an improved schedule".
    case rex(alpha: Double, beta: Double, lowest: Double)
    case torch(TorchSchedule)
  }

  /// The numbers of `warmup_stable_decay`.
  struct StableDecay: Sendable {
    var warmupShape, decayShape: Shape
    var stable, decay: Int
    var lowest, waves: Double

    enum Shape: String, CaseIterable, Sendable {
      case linear
      case cosine
      case root = "1-sqrt"
    }
  }

  let curve: Curve
  /// Steps of rising.
  package let warmup: Int
  package let total: Int

  /// The rate at a step, counted from 0, of a group that begins with `base`.
  package func rate(of base: Double, at step: Int) -> Double {
    if case .torch(let schedule) = curve { return schedule.rate(of: base, at: step) }
    return base * factor(at: step)
  }

  /// By what a step, counted from 0, multiplies rates; 1 of those that torch has.
  func factor(at step: Int) -> Double {
    switch curve {
    case .stableDecay(let stages): return stages.factor(at: step, warmup: warmup)
    case .pieces(let pieces, let last): return pieces.first { step < $0.limit }?.factor ?? last
    case .rex(_, _, let lowest) where step < warmup:
      // The first step is the lowest, as is the second: the rise begins with the optimizer's second.
      let rise = Double(max(step - 1, 0)) / Double(max(1, warmup - 1))
      return lowest + (1 - lowest) * rise
    default:
      return step < warmup ? Double(step) / Double(max(1, warmup)) : falling(step)
    }
  }

  private func falling(_ step: Int) -> Double {
    let length = Double(max(1, total - warmup))
    let progress = Double(step - warmup) / length
    switch curve {
    case .constant, .stableDecay, .pieces, .torch: return 1
    case .linear: return max(0, Double(total - step) / length)
    case .cosine(let waves, let lowest):
      return max(0, 0.5 * (1 + cos(.pi * waves * 2 * progress)) * (1 - lowest) + lowest)
    case .restarts(let cycles):
      guard progress < 1 else { return 0 }
      return max(0, 0.5 * (1 + cos(.pi * (cycles * progress).truncatingRemainder(dividingBy: 1))))
    case .polynomial(let power, let last):
      return step > total ? last : (1 - last) * pow(max(0, 1 - progress), power) + last
    case .inverseRoot(let timescale):
      return 1 / ((Double(step - warmup) + timescale) / timescale).squareRoot()
    case .rex(let alpha, let beta, let lowest):
      guard progress < 1 else { return lowest }
      let rest = 1 - progress
      return lowest + (1 - lowest) * rest / (alpha + beta * rest)
    }
  }
}

extension RateSchedule.StableDecay {
  fileprivate func factor(at step: Int, warmup: Int) -> Double {
    let factor: Double
    if step < warmup {
      factor = warmupShape.rise(Double(step) / Double(max(1, warmup)))
    } else if step < warmup + stable {
      return 1
    } else if step < warmup + stable + decay {
      let progress = Double(step - warmup - stable) / Double(max(1, decay))
      factor = decayShape.fall(progress, waves: waves)
    } else {
      return lowest
    }
    return max(0, factor * (1 - lowest) + lowest)
  }
}

extension RateSchedule.StableDecay.Shape {
  fileprivate func rise(_ progress: Double) -> Double {
    switch self {
    case .linear: progress
    case .cosine: 0.5 * (1 - cos(.pi * progress))
    case .root: 1 - (1 - progress).squareRoot()
    }
  }

  fileprivate func fall(_ progress: Double, waves: Double) -> Double {
    switch self {
    case .linear: 1 - progress
    case .cosine: 0.5 * (1 + cos(.pi * waves * 2 * progress))
    case .root: 1 - progress.squareRoot()
    }
  }
}
