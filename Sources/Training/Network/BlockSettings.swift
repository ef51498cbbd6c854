import Machine
package import ModelFamilies

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// kohya's `networks.lora` by blocks: ranks, alphas, and weights of the learning rate.
package struct BlockSettings: Sendable {
  /// Which blocks there are.
  package let numbers: BlockNumbers
  /// One for every block; 0 leaves it out.
  package var ranks: [Int]
  package var alphas: [Float]
  /// nil where no convolution with a kernel takes part.
  package var convolutionRanks: [Int]?
  package var convolutionAlphas: [Float]
  /// Factors of the learning rate; nil where all are 1.
  package var rateWeights: [Float]?

  /// nil where the arguments say nothing of blocks.
  /// - Parameter numbers: of the family; nil where kohya's scripts do not number its blocks.
  /// - Throws: `NetworkError.value`, `.blocksOfFamily`
  init?(
    _ arguments: NetworkArguments, _ general: ModuleOptions, _ numbers: BlockNumbers?
  ) throws(NetworkError) {
    guard arguments.entries.contains(where: { Self.keys.contains($0.key) }) else { return nil }
    guard let numbers else { throw .blocksOfFamily("block_dims and lr weights") }
    let count = numbers.count
    self.numbers = numbers
    ranks =
      try Self.ranks(arguments, "block_dims", count) ?? .init(repeating: general.rank, count: count)
    alphas =
      try Self.numbers(arguments, "block_alphas", count)
      ?? .init(repeating: general.alpha ?? Float(general.rank), count: count)
    convolutionRanks =
      try Self.ranks(arguments, "conv_block_dims", count)
      ?? general.convolutionRank.map { .init(repeating: $0, count: count) }
    convolutionAlphas =
      try Self.numbers(arguments, "conv_block_alphas", count)
      ?? .init(repeating: general.convolutionAlpha ?? 1, count: count)
    rateWeights = try Self.rateWeights(arguments, numbers)
    for (block, weight) in (rateWeights ?? []).enumerated() where weight == 0 {
      ranks[block] = 0
      convolutionRanks?[block] = 0
    }
  }

  /// What asks for blocks.
  private static let keys: Set<String> = [
    "block_dims", "block_alphas", "conv_block_dims", "conv_block_alphas", "down_lr_weight",
    "mid_lr_weight", "up_lr_weight",
  ]

  private static func numbers(
    _ arguments: NetworkArguments, _ key: String, _ count: Int
  ) throws(NetworkError) -> [Float]? {
    guard let numbers = try arguments.numbers(key) else { return nil }
    guard numbers.count == count else {
      throw .value(
        key, expected: "\(count) numbers, one for every block", found: "\(numbers.count) of them")
    }
    return numbers
  }

  private static func ranks(
    _ arguments: NetworkArguments, _ key: String, _ count: Int
  ) throws(NetworkError) -> [Int]? {
    guard let numbers = try numbers(arguments, key, count) else { return nil }
    var ranks: [Int] = []
    for number in numbers {
      guard let rank = Int(exactly: number), GivenInteger.range(from: 0).contains(rank) else {
        throw .value(
          key, expected: "ranks from 0 to \(GivenInteger.range.upperBound)", found: "\(number)")
      }
      ranks.append(rank)
    }
    return ranks
  }

  // MARK: Learning rates

  private static func rateWeights(
    _ arguments: NetworkArguments, _ numbers: BlockNumbers
  ) throws(NetworkError) -> [Float]? {
    let down = try side(arguments, "down_lr_weight", numbers.down.count)
    let middle = try list(arguments, "mid_lr_weight", numbers.middle.count)
    let up = try side(arguments, "up_lr_weight", numbers.up.count)
    guard down != nil || middle != nil || up != nil else { return nil }
    let threshold =
      try arguments.number(
        "block_lr_zero_threshold", 0...Float.greatestFiniteMagnitude, "a number of at least 0")
      ?? 0
    var weights = [Float](repeating: 1, count: numbers.count)
    for (range, given) in [(numbers.down, down), (numbers.middle, middle), (numbers.up, up)] {
      if let given { weights.replaceSubrange(range, with: given) }
    }
    return weights.map { $0 > threshold ? $0 : 0 }
  }

  /// A number for every block of a side, missing ones 1; or the name of a curve, with `+` a number that is added.
  private static func side(
    _ arguments: NetworkArguments, _ key: String, _ count: Int
  ) throws(NetworkError) -> [Float]? {
    guard let text = arguments[key] else { return nil }
    if text.first?.isLetter == true {
      let parts = text.split(separator: "+", maxSplits: 1).map(String.init)
      guard let curve = curves[parts[0]], let base = parts.count > 1 ? Float(parts[1]) : 0 else {
        throw .value(
          key, expected: "numbers, or one of \(curves.keys.sorted().joined(separator: ", "))",
          found: text)
      }
      return (0..<count).map { curve(Float($0) / Float(count - 1)) + base }
    }
    return try list(arguments, key, count)
  }

  /// A number for every block, missing ones 1.
  private static func list(
    _ arguments: NetworkArguments, _ key: String, _ count: Int
  ) throws(NetworkError) -> [Float]? {
    guard let text = arguments[key] else { return nil }
    guard let numbers = try arguments.numbers(key), numbers.count <= count else {
      throw .value(
        key, expected: count == 1 ? "one number" : "at most \(count) numbers", found: text)
    }
    return numbers + [Float](repeating: 1, count: count - numbers.count)
  }

  /// From the first block of a side, 0, to the last, 1.
  private static let curves: [String: @Sendable (Float) -> Float] = [
    "cosine": { sin(.pi / 2 * (1 - $0)) }, "sine": { sin(.pi / 2 * $0) }, "linear": { $0 },
    "reverse_linear": { 1 - $0 }, "zeros": { _ in 0 },
  ]
}
