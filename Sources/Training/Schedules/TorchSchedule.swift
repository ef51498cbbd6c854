#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A schedule of `torch.optim.lr_scheduler`, as `--lr_scheduler_type` names it, in closed form.
///
/// Some have rates of their own in place of factors, so a rate may not be that of its group times one number.
enum TorchSchedule: Sendable {
  /// `StepLR`
  case steps(every: Int, gamma: Double)
  /// `MultiStepLR`; ascending.
  case milestones([Int], gamma: Double)
  /// `ConstantLR`
  case constant(factor: Double, until: Int)
  /// `LinearLR`
  case linear(start: Double, end: Double, until: Int)
  /// `ExponentialLR`
  case exponential(gamma: Double)
  /// `PolynomialLR`
  case polynomial(until: Int, power: Double)
  /// `CosineAnnealingLR`: down in `half` steps, and up again.
  case cosine(half: Int, lowest: Double)
  /// `CosineAnnealingWarmRestarts`
  case restarts(first: Int, growth: Int, lowest: Double)
  /// `CyclicLR`
  case cyclic(Cycle)
  /// `OneCycleLR`
  case oneCycle(OneCycle)
  /// Cycles that end in a restart from a lower rate, as LoRA_Easy_Training_Scripts has them.
  case annealing(Annealing)

  struct Cycle: Sendable {
    enum Mode: String, CaseIterable, Sendable {
      case triangular, triangular2
      case exponential = "exp_range"
    }

    var lowest, highest: Double
    var up, down: Int
    var mode: Mode
    var gamma: Double
  }

  struct OneCycle: Sendable {
    enum Shape: String, CaseIterable, Sendable { case cos, linear }

    var highest: Double
    var total: Int
    var rise: Double
    var shape: Shape
    var divisor, finalDivisor: Double
    var hasThreePhases: Bool
  }

  struct Annealing: Sendable {
    enum Shape: Sendable {
      case cosine
      /// REX with this `d`.
      case rex(Double)
    }

    var shape: Shape
    /// Of the first cycle.
    var length: Int
    var growth, gamma, lowest: Double
    var warmup: Int
  }

  /// The rate of a group at a step counted from 0.
  func rate(of base: Double, at step: Int) -> Double {
    let time = Double(step)
    switch self {
    case .steps(let every, let gamma): return base * pow(gamma, Double(step / every))
    case .milestones(let milestones, let gamma):
      return base * pow(gamma, Double(milestones.count { $0 <= step }))
    case .constant(let factor, let until): return step < until ? base * factor : base
    case .linear(let start, let end, let until):
      return base * (start + (end - start) * Double(min(step, until)) / Double(until))
    case .exponential(let gamma): return base * pow(gamma, time)
    case .polynomial(let until, let power):
      return base * pow(1 - Double(min(step, until)) / Double(until), power)
    case .cosine(let half, let lowest):
      return lowest + (base - lowest) * (1 + cos(.pi * time / Double(half))) / 2
    case .restarts(let first, let growth, let lowest):
      var (rest, length) = (step, first)
      if growth == 1 { rest %= length }
      while rest >= length { (rest, length) = (rest - length, length * growth) }
      return lowest + (base - lowest) * (1 + cos(.pi * Double(rest) / Double(length))) / 2
    case .cyclic(let cycle): return cycle.rate(at: step)
    case .oneCycle(let cycle): return cycle.rate(at: step)
    case .annealing(let cycles): return cycles.rate(of: base, at: step)
    }
  }
}

extension TorchSchedule.Cycle {
  fileprivate func rate(at step: Int) -> Double {
    let length = Double(up + down)
    let cycle = (1 + Double(step) / length).rounded(.down)
    let place = 1 + Double(step) / length - cycle
    let rise = Double(up) / length
    let height = place <= rise ? place / rise : (place - 1) / (rise - 1)
    let scale =
      switch mode {
      case .triangular: 1.0
      case .triangular2: 1 / pow(2, cycle - 1)
      case .exponential: pow(gamma, Double(step))
      }
    return lowest + (highest - lowest) * height * scale
  }
}

extension TorchSchedule.OneCycle {
  fileprivate func rate(at step: Int) -> Double {
    let first = highest / divisor
    let last = first / finalDivisor
    let end = Double(total - 1)
    let peak = rise * Double(total) - 1
    let phases: [(end: Double, from: Double, to: Double)] =
      hasThreePhases
      ? [(peak, first, highest), (2 * peak, highest, first), (end, first, last)]
      : [(peak, first, highest), (end, highest, last)]
    var start = 0.0
    for (index, phase) in phases.enumerated() {
      if Double(step) <= phase.end || index == phases.count - 1 {
        // A rise of a single step has no length.
        let length = phase.end - start
        let share = length > 0 ? (Double(step) - start) / length : 1
        return switch shape {
        case .cos: phase.to + (phase.from - phase.to) / 2 * (cos(.pi * share) + 1)
        case .linear: phase.from + (phase.to - phase.from) * share
        }
      }
      start = phase.end
    }
    return last
  }
}

extension TorchSchedule.Annealing {
  /// More steps than any training has.
  private static let longest = 1e15

  /// Cycles grow without their warm-up, each begins `gamma` lower, and none falls below the lowest rate.
  fileprivate func rate(of base: Double, at step: Int) -> Double {
    let floor = lowest < base ? lowest : 0
    var (rest, length, cycle) = (step, length, 0)
    while rest >= length {
      rest -= length
      cycle += 1
      let grown = (Double(length - warmup) * growth).rounded(.toNearestOrEven)
      length = Int(min(grown, Self.longest)) + warmup
    }
    let range = base * pow(gamma, Double(cycle)) - floor
    guard range > 0 else { return floor }
    guard rest >= warmup else { return floor + range * Double(rest) / Double(warmup) }
    let progress = Double(rest - warmup) / Double(length - warmup)
    switch shape {
    case .cosine: return floor + range * (1 + cos(.pi * progress)) / 2
    case .rex(let d): return floor + range * (1 - progress) / ((1 - d) + d * (1 - progress))
    }
  }
}
