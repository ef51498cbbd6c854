import Adapters
import LinearAlgebra
import Tensors

/// Methods that pick entries of the changes multiplied out, as PEFT's `…_svd` combinations do.
///
/// Source: PEFT `utils/merge_utils.py`. There as here a density of 1 or more prunes nothing, the
/// majority is elected by the entries without their weights, and a tie counts as positive.
extension JoinedChange {
  /// - Parameters:
  ///   - ratios: of the changes
  ///   - module: whose name makes random picks differ between modules.
  static func picked(
    from changes: [ModuleChange], _ ratios: [Float], _ settings: CombinationSettings,
    module: String
  ) -> JoinedChange {
    let shape =
      changes.compactMap(\.shape).max { $0.dimensions.count < $1.dimensions.count } ?? []
    var tensors: [Tensor] = []
    var weights: [Float] = []
    for (index, change) in changes.enumerated() {
      guard let weight = change.weight else { continue }
      var tensor: Tensor
      switch weight {
      case .whole(let whole): tensor = whole.reshaped(shape)
      case .product(let product): tensor = product.delta.reshaped(shape)
      }
      switch settings.method {
      case .dareTies, .dareLinear:
        var generator = SeededGenerator(
          seed: settings.seed ^ module.hash64 &+ UInt64(index) &* 0xD1B5_4A32_D192_ED03)
        tensor.keepRandom(settings.density, using: &generator)
      default: tensor.keepLargest(settings.density)
      }
      tensors.append(tensor)
      weights.append(ratios[index])
    }
    var joined = JoinedChange(
      weight: nil, bias: biasSum(of: changes), isNorm: changes[0].isNorm)
    guard !tensors.isEmpty else { return joined }
    switch settings.method {
    case .ties, .dareTies:
      joined.weight = .whole(disjointMean(of: tensors, weights, settings.majoritySign))
    default:
      var sum = Tensor(zeros: shape)
      for (tensor, weight) in zip(tensors, weights) { sum.add(tensor, times: weight) }
      joined.weight = .whole(sum)
    }
    return joined
  }

  /// For every entry the mean of weight · value over the tensors whose value has the sign of the majority.
  static func disjointMean(
    of tensors: [Tensor], _ weights: [Float], _ sign: CombinationSettings.MajoritySign
  ) -> Tensor {
    let shape = tensors[0].shape
    var votes = Tensor(zeros: shape)
    for tensor in tensors {
      let values = tensor.elements.span
      var sums = votes.elements.mutableSpan
      for i in sums.indices { sums[i] += sign == .total ? values[i] : values[i].signum }
    }
    var (sum, counts) = (Tensor(zeros: shape), [Float](repeating: 0, count: shape.count))
    for (tensor, weight) in zip(tensors, weights) {
      let (values, votes) = (tensor.elements.span, votes.elements.span)
      var sums = sum.elements.mutableSpan
      var counts = counts.mutableSpan
      for i in sums.indices where values[i].signum == (votes[i] >= 0 ? 1 : -1) {
        sums[i] += weight * values[i]
        counts[i] += 1
      }
    }
    for i in counts.indices where counts[i] > 1 { sum.elements[i] /= counts[i] }
    return sum
  }
}

extension Float {
  fileprivate var signum: Float { self > 0 ? 1 : self < 0 ? -1 : 0 }
}

extension String {
  /// FNV-1a, the same on every run.
  fileprivate var hash64: UInt64 {
    utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }
}

extension Tensor {
  /// Zeroes all but the share `density` of the entries, the largest ones; of equal ones the first.
  mutating func keepLargest(_ density: Double) {
    guard density < 1 else { return }
    let kept = Int(density * Double(count))
    guard kept > 0 else {
      scale(by: 0)
      return
    }
    let bound = magnitude(ofLargest: kept)
    var target = elements.mutableSpan
    var equals = kept
    for i in target.indices where target[i].magnitude.bitPattern > bound { equals -= 1 }
    for i in target.indices {
      let size = target[i].magnitude.bitPattern
      if size > bound { continue }
      if size == bound, equals > 0 {
        equals -= 1
      } else {
        target[i] = 0
      }
    }
  }

  /// The bit pattern of the size of the n-th largest entry, n from 1 on; those of positive numbers are in
  /// their order. By counting upper halves, then lower halves beside the one that it is found in.
  /// - Complexity: O(count)
  private func magnitude(ofLargest n: Int) -> UInt32 {
    let values = elements.span
    var counts = [Int](repeating: 0, count: 1 << 16)
    for i in values.indices { counts[Int(values[i].magnitude.bitPattern >> 16)] += 1 }
    var left = n
    func place(in counts: [Int]) -> Int {
      var index = counts.count - 1
      while index > 0, counts[index] < left {
        left -= counts[index]
        index -= 1
      }
      return index
    }
    let upper = place(in: counts)
    counts = [Int](repeating: 0, count: 1 << 16)
    for i in values.indices {
      let pattern = values[i].magnitude.bitPattern
      if Int(pattern >> 16) == upper { counts[Int(pattern & 0xFFFF)] += 1 }
    }
    return UInt32(upper) << 16 | UInt32(place(in: counts))
  }

  /// Keeps every entry with the probability `density`, divided by that.
  mutating func keepRandom(_ density: Double, using generator: inout SeededGenerator) {
    guard density < 1 else { return }
    let factor = Float(1 / density)
    var target = elements.mutableSpan
    for i in target.indices {
      // 53 bits, as a double has.
      let draw = Double(generator.next() >> 11) * 0x1p-53
      target[i] = draw < density ? target[i] * factor : 0
    }
  }
}
