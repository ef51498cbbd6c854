import Autograd
import Tensors

/// AdamW whose averages take a byte each instead of four (Dettmers et al. 2022), as bitsandbytes: blocks of 256
/// with a scale of their own. Parameters of fewer than 4096 elements keep theirs in full.
package struct AdamW8bit: Optimizer {
  private struct Averages {
    var step = 0
    var first, second: BlockwiseCodes
  }

  private let rule: AdamRule
  private let smallestCount: Int
  private var small: AdamW
  private var large: [String: Averages] = [:]

  /// - Throws: `SettingError`
  init(_ arguments: inout KeyedArguments) throws(SettingError) {
    let copy = arguments
    rule = try AdamRule(&arguments, isDecoupled: true)
    var forSmall = copy
    small = try AdamW(&forSmall)
    smallestCount = try arguments.integer("min_8bit_size", 4096, in: 0...)
    arguments.ignore("block_wise", "is_paged")
  }

  private func isLarge(_ parameter: Parameter) -> Bool { parameter.value.count >= smallestCount }

  package mutating func step(_ groups: [ParameterGroup], rates: [Double]) {
    small.step(
      groups.map { group in
        ParameterGroup(
          name: group.name, parameters: group.parameters.filter { !isLarge($0) }, rate: group.rate)
      }, rates: rates)
    let (signed, unsigned) = (DynamicMap.signed, DynamicMap.unsigned)
    let moved = groups.withGradients.filter { isLarge($0.parameter) }
    let rule = rule
    // Out of the dictionary, which threads cannot share.
    var work = moved.map { large.removeValue(forKey: $0.parameter.name) }
    ComputeThreads.change(&work) { work, index in
      let (group, parameter, gradient) = moved[index]
      let count = gradient.count
      var first = [Float](repeating: 0, count: BlockwiseCodes.blockLength)
      var second = first
      var averages =
        work.take()
        ?? Averages(
          first: BlockwiseCodes(count: count, signed),
          second: BlockwiseCodes(count: count, unsigned))
      averages.step += 1
      let factors = rule.factors(step: averages.step, rate: rates[group])
      for block in averages.first.magnitudes.indices {
        let start = block * BlockwiseCodes.blockLength
        averages.first.read(block: block, signed, into: &first)
        averages.second.read(block: block, unsigned, into: &second)
        AdamRule.apply(
          factors, to: &parameter.value.elements, gradient,
          start..<min(start + BlockwiseCodes.blockLength, count), first: &first, second: &second)
        averages.first.write(block: block, signed, from: first)
        averages.second.write(block: block, unsigned, from: second)
      }
      work = averages
    }
    for (averages, moved) in zip(work, moved) { large[moved.parameter.name] = averages }
  }

  package var state: OptimizerState {
    var state = small.state
    for (name, averages) in large {
      state.tensors["\(name).step"] = EncodedTensor(Tensor(scalar: Float(averages.step)), as: .f32)
      for (suffix, codes) in [("1", averages.first), ("2", averages.second)] {
        state.tensors["\(name).state\(suffix)"] = EncodedTensor(
          .u8, [codes.codes.count], codes.codes)
        state.tensors["\(name).absmax\(suffix)"] = EncodedTensor(
          Tensor([codes.magnitudes.count], codes.magnitudes), as: .f32)
      }
    }
    return state
  }

  package mutating func restore(
    _ state: OptimizerState, for groups: [ParameterGroup]
  ) throws(OptimizerStateError) {
    var (rest, restored) = (state, [String: Averages]())
    for parameter in groups.flatMap(\.parameters)
    where isLarge(parameter) && state.tensors["\(parameter.name).step"] != nil {
      let (name, count) = (parameter.name, parameter.value.count)
      restored[name] = Averages(
        step: try OptimizerState.count(
          Double(try state.elements("\(name).step", count: 1)[0]), "\(name).step"),
        first: try state.codes(name, "1", count: count),
        second: try state.codes(name, "2", count: count))
      for suffix in ["step", "state1", "state2", "absmax1", "absmax2"] {
        rest.tensors["\(name).\(suffix)"] = nil
      }
    }
    try small.restore(rest, for: groups)
    large = restored
  }
}

extension OptimizerState {
  fileprivate func codes(
    _ parameter: String, _ suffix: String, count: Int
  ) throws(OptimizerStateError) -> BlockwiseCodes {
    let name = "\(parameter).state\(suffix)"
    guard let tensor = tensors[name] else { throw .missing(name) }
    guard tensor.dtype == .u8, tensor.shape.count == count else {
      throw .shape(name, expected: "U8 [\(count)]", found: "\(tensor.dtype) \(tensor.shape)")
    }
    let blocks = (count + BlockwiseCodes.blockLength - 1) / BlockwiseCodes.blockLength
    let scales = "\(parameter).absmax\(suffix)"
    let magnitudes = try elements(scales, count: blocks)
    guard magnitudes.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
      throw .value(scales, expected: "finite numbers of at least 0", found: "others")
    }
    return BlockwiseCodes(codes: tensor.bytes, magnitudes: magnitudes)
  }
}
