import Autograd
import CKernels
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// AdamW that averages what it visits in place of lowering the rate (Defazio et al. 2024), as schedulefree.
///
/// Gradients are taken at y, between z, which descends, and x, the average of all z; x is what is to be judged
/// and saved.
package struct AdamWScheduleFree: Optimizer {
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
  init(_ arguments: inout KeyedArguments) throws(SettingError) {
    betas = try arguments.betas((0.9, 0.999))
    epsilon = try arguments.number("eps", 1e-8, in: 0...)
    weightDecay = try arguments.number("weight_decay", 0, in: 0...)
    warmupSteps = try arguments.integer("warmup_steps", 0, in: 0...)
    power = try arguments.number("r", 0, in: 0...)
    ratePower = try arguments.number("weight_lr_power", 2, in: 0...)
    arguments.ignore("foreach")
    guard betas.0 > 0 else {
      throw .value(
        option: "--optimizer_args betas", expected: "a first number above 0",
        found: "\(betas.0),\(betas.1)")
    }
  }

  package var schedulesItself: Bool { true }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    precondition(trained == nil, "a step during an evaluation")
    if weightSums.isEmpty {
      weightSums = [Double](repeating: 0, count: groups.count)
      largestRates = [Double](repeating: -1, count: groups.count)
    }
    let rates = effectiveRates(groups, rates: rates)
    let correction = 1 - pow(betas.1, Double(count + 1))
    var shares: [Double] = []
    for (group, rate) in rates.enumerated() {
      largestRates[group] = max(rate, largestRates[group])
      let weight = pow(Double(count + 1), power) * pow(largestRates[group], ratePower)
      weightSums[group] += weight
      shares.append(weightSums[group] > 0 ? weight / weightSums[group] : 0)
    }
    for (group, parameter, gradient) in groups.withGradients {
      let (rate, share) = (rates[group], shares[group])
      slots[parameter].average(
        &parameter.value.elements, gradient,
        lyco_average_step(
          second_keep: Float(betas.1), second_growth: Float(1 - betas.1),
          correction: Float(correction), epsilon: Float(epsilon), decay: Float(weightDecay),
          share: Float(share), growth: Float(rate * (betas.0 * (1 - share) - 1)), size: Float(rate))
      )
    }
    count += 1
  }

  package func effectiveRates(_ groups: [ParameterGroup], rates: [Double]) -> [Double] {
    count < warmupSteps ? rates.map { $0 * Double(count + 1) / Double(warmupSteps) } : rates
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
    count = Int(try state.number("k"))
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
    _ value: inout [Float], _ gradient: [Float], _ numbers: lyco_average_step
  ) {
    if step == 0 { first = value }
    step += 1
    precondition(value.count == gradient.count && value.count == first.count)
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
