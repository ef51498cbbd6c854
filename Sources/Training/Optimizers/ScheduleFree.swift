import Autograd
import CKernels
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Descent that averages what it visits in place of lowering the rate (Defazio et al. 2024), as schedulefree:
/// by AdamW, by RAdam, which needs no warm-up, or along the gradient.
///
/// Gradients are taken at y, between z, which descends, and x, the average of all z; x is what is to be judged
/// and saved.
package struct ScheduleFree: Optimizer {
  /// What z goes along.
  enum Rule: Equatable, Sendable {
    case adamW
    /// Adam with its step corrected for how few gradients it has seen (Liu et al. 2020); until there are
    /// enough of them it moves along the gradient, or not at all.
    case rectifiedAdam(waits: Bool)
    case descent
  }

  private let rule: Rule
  /// Of y between z and x, and of the average of squares.
  private let betas: (Double, Double)
  private let epsilon: Double
  private let weightDecay: Double
  private let warmupSteps: Int
  private let power: Double
  private let ratePower: Double
  private var slots = Slots("z", "exp_avg_sq")
  private var count = 0
  /// Of each group.
  private var weightSums: [Double] = []
  private var largestRates: [Double] = []
  /// y of every parameter, while x is in its place.
  private var trained: [String: [Float]]?

  /// - Throws: `SettingError`
  init(_ rule: Rule, _ arguments: inout KeyedArguments) throws(SettingError) {
    if rule == .descent {
      betas = (try arguments.number("momentum", 0.9, in: 0...), 0)
      epsilon = 0
      slots = Slots("z")
    } else {
      betas = try arguments.betas((0.9, 0.999))
      epsilon = try arguments.number("eps", 1e-8, in: 0...)
    }
    guard betas.0 > 0, betas.0 < 1 else {
      throw .value(
        option: "--optimizer_args \(rule == .descent ? "momentum" : "betas")",
        expected: "a first number above 0 and below 1", found: "\(betas.0)")
    }
    weightDecay = try arguments.number("weight_decay", 0, in: 0...)
    if case .rectifiedAdam = rule {
      warmupSteps = 0
      self.rule = .rectifiedAdam(waits: try arguments.flag("silent_sgd_phase", true))
    } else {
      warmupSteps = try arguments.integer("warmup_steps", 0, in: 0...)
      self.rule = rule
    }
    power = try arguments.number("r", 0, in: 0...)
    ratePower = try arguments.number("weight_lr_power", 2, in: 0...)
    arguments.ignore("foreach")
  }

  package var schedulesItself: Bool { true }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    precondition(trained == nil, "a step during an evaluation")
    if weightSums.isEmpty {
      weightSums = [Double](repeating: 0, count: groups.count)
      largestRates = [Double](repeating: -1, count: groups.count)
    }
    let factor = factor(step: count + 1)
    let rates = rates.map { $0 * factor }
    var shares: [Double] = []
    for (group, rate) in rates.enumerated() {
      largestRates[group] = max(rate, largestRates[group])
      let weight = pow(Double(count + 1), power) * pow(largestRates[group], ratePower)
      weightSums[group] += weight
      shares.append(weightSums[group] > 0 ? weight / weightSums[group] : 0)
    }
    let correction = 1 - pow(betas.1, Double(count + 1))
    let normalizes = normalizes
    let (betas, epsilon, weightDecay) = (betas, epsilon, weightDecay)
    slots.change(groups.withGradients) { slot, moved in
      let (rate, share) = (rates[moved.group], shares[moved.group])
      let numbers = lyco_average_step(
        second_keep: Float(betas.1), second_growth: Float(1 - betas.1),
        correction: Float(correction), epsilon: Float(epsilon), decay: Float(weightDecay),
        share: Float(share), growth: Float(rate * (betas.0 * (1 - share) - 1)), size: Float(rate))
      slot.average(
        &moved.parameter.value.elements, moved.gradient, numbers, normalizes: normalizes)
    }
    count += 1
  }

  /// How many gradients the average of squares is worth at a step counted from 1, less those that RAdam's
  /// correction takes away; nil where there are too few for Adam.
  private func rectification(step: Int) -> Double? {
    let longest = 2 / (1 - betas.1) - 1
    let decayed = pow(betas.1, Double(step))
    let length = longest - 2 * Double(step) * decayed / (1 - decayed)
    guard length > 4 else { return nil }
    return
      ((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
      .squareRoot()
  }

  /// Whether the next step divides the gradient by the root of its average square.
  private var normalizes: Bool {
    switch rule {
    case .adamW: true
    case .rectifiedAdam: rectification(step: count + 1) != nil
    case .descent: false
    }
  }

  /// By what a step counted from 1 multiplies the rates.
  private func factor(step: Int) -> Double {
    if case .rectifiedAdam(let waits) = rule {
      return rectification(step: step) ?? (waits ? 0 : 1)
    }
    return step <= warmupSteps ? Double(step) / Double(warmupSteps) : 1
  }

  package func effectiveRates(_ groups: [ParameterGroup], rates: [Double]) -> [Double] {
    // The step is counted once it is made.
    let factor = factor(step: max(count, 1))
    return rates.map { $0 * factor }
  }

  package mutating func beginEvaluation(_ groups: [ParameterGroup]) {
    guard trained == nil else { return }
    var kept: [String: [Float]] = [:]
    for parameter in groups.flatMap(\.parameters) {
      guard let slot = slots[existing: parameter] else { continue }
      kept[parameter.name] = parameter.value.elements
      // y = (1 − β) z + β x, so x lies behind y as seen from z.
      let share = Float(1 - 1 / betas.0)
      for i in slot.first.indices {
        parameter.value.elements[i] += share * (slot.first[i] - parameter.value.elements[i])
      }
    }
    trained = kept
  }

  package mutating func endEvaluation(_ groups: [ParameterGroup]) {
    guard let kept = trained.take() else { return }
    for parameter in groups.flatMap(\.parameters) {
      if let elements = kept[parameter.name] { parameter.value.elements = elements }
    }
  }

  package var state: OptimizerState {
    var numbers = ["k": Double(count)]
    for group in weightSums.indices {
      numbers["weight_sum.\(group)"] = weightSums[group]
      numbers["lr_max.\(group)"] = largestRates[group]
    }
    return OptimizerState(tensors: slots.tensors, numbers: numbers)
  }

  package mutating func restore(
    _ state: OptimizerState, for groups: [ParameterGroup]
  ) throws(OptimizerStateError) {
    count = try state.count("k")
    (weightSums, largestRates) = ([], [])
    if count > 0 {
      for group in groups.indices {
        weightSums.append(try state.number("weight_sum.\(group)"))
        largestRates.append(try state.number("lr_max.\(group)"))
      }
    }
    try slots.restore(state, for: groups)
  }
}

extension Slot {
  fileprivate mutating func average(
    _ value: inout [Float], _ gradient: [Float], _ numbers: lyco_average_step, normalizes: Bool
  ) {
    if step == 0 { first = value }
    step += 1
    precondition(value.count == gradient.count && value.count == first.count)
    guard normalizes else {
      for i in value.indices {
        if i < second.count {
          second[i] =
            second[i] * numbers.second_keep + gradient[i] * gradient[i] * numbers.second_growth
        }
        let slope = gradient[i] + numbers.decay * value[i]
        value[i] += numbers.share * (first[i] - value[i])
        value[i] += slope * numbers.growth
        first[i] -= slope * numbers.size
      }
      return
    }
    unsafe value.withUnsafeMutableBufferPointer { value in
      unsafe gradient.withUnsafeBufferPointer { gradient in
        unsafe first.withUnsafeMutableBufferPointer { origin in
          unsafe second.withUnsafeMutableBufferPointer { second in
            guard let y = value.baseAddress, let g = gradient.baseAddress,
              let z = origin.baseAddress, let v = second.baseAddress
            else { return }
            unsafe lyco_adam_average(y, g, z, v, value.count, numbers)
          }
        }
      }
    }
  }
}
