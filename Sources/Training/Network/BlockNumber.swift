import Machine

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The blocks of a Stable Diffusion 1.x or 2.x UNet as kohya's scripts number them: 12 on the way down
/// (0 has no module), one in the middle, 12 on the way up.
enum BlockNumber {
  static let perSide = 12
  static let count = 2 * perSide + 1

  /// The block of a module of the UNet by its dotted name; nil outside of all.
  static func of(_ path: String) -> Int? {
    let parts = path.split(separator: ".")
    guard parts.count >= 4 || parts.first == "mid_block" else { return nil }
    if parts[0] == "mid_block" { return perSide }
    guard let level = Int(parts[1]), let index = Int(parts[3]) else { return nil }
    let place: Int
    switch parts[2] {
    case "resnets", "attentions": place = 3 * level + index
    case "upsamplers", "downsamplers": place = 3 * level + 2
    default: return nil
    }
    switch parts[0] {
    case "down_blocks": return 1 + place
    case "up_blocks": return perSide + 1 + place
    default: return nil
    }
  }
}

/// kohya's `networks.lora` by blocks: ranks, alphas, and weights of the learning rate.
package struct BlockSettings: Equatable, Sendable {
  /// One for every block; 0 leaves it out.
  package var ranks: [Int]
  package var alphas: [Float]
  /// nil where no convolution with a kernel takes part.
  package var convolutionRanks: [Int]?
  package var convolutionAlphas: [Float]
  /// Factors of the learning rate; nil where all are 1.
  package var rateWeights: [Float]?

  /// nil where the arguments say nothing of blocks.
  /// - Throws: `NetworkError.value`
  init?(_ arguments: NetworkArguments, _ general: ModuleOptions) throws(NetworkError) {
    let weights = try Self.rateWeights(arguments)
    guard
      weights != nil || arguments["block_dims"] != nil || arguments["conv_block_dims"] != nil
        || arguments["block_alphas"] != nil || arguments["conv_block_alphas"] != nil
    else { return nil }
    let count = BlockNumber.count
    ranks = try Self.ranks(arguments, "block_dims") ?? .init(repeating: general.rank, count: count)
    alphas =
      try Self.numbers(arguments, "block_alphas")
      ?? .init(repeating: general.alpha ?? Float(general.rank), count: count)
    convolutionRanks =
      try Self.ranks(arguments, "conv_block_dims")
      ?? general.convolutionRank.map { .init(repeating: $0, count: count) }
    convolutionAlphas =
      try Self.numbers(arguments, "conv_block_alphas")
      ?? .init(repeating: general.convolutionAlpha ?? 1, count: count)
    rateWeights = weights
    for (block, weight) in (weights ?? []).enumerated() where weight == 0 {
      ranks[block] = 0
      convolutionRanks?[block] = 0
    }
  }

  private static func numbers(
    _ arguments: NetworkArguments, _ key: String
  ) throws(NetworkError) -> [Float]? {
    guard let numbers = try arguments.numbers(key) else { return nil }
    guard numbers.count == BlockNumber.count else {
      throw .value(
        key, expected: "\(BlockNumber.count) numbers, one for every block",
        found: "\(numbers.count) of them")
    }
    return numbers
  }

  private static func ranks(
    _ arguments: NetworkArguments, _ key: String
  ) throws(NetworkError) -> [Int]? {
    guard let numbers = try numbers(arguments, key) else { return nil }
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
    _ arguments: NetworkArguments
  ) throws(NetworkError) -> [Float]? {
    let down = try side(arguments, "down_lr_weight")
    let middle = try arguments.numbers("mid_lr_weight")
    let up = try side(arguments, "up_lr_weight")
    guard down != nil || middle != nil || up != nil else { return nil }
    if let middle, middle.count != 1 {
      throw .value(
        "mid_lr_weight", expected: "one number", found: arguments["mid_lr_weight"] ?? "")
    }
    let ones = [Float](repeating: 1, count: BlockNumber.perSide)
    let threshold =
      try arguments.number(
        "block_lr_zero_threshold", 0...Float.greatestFiniteMagnitude, "a number of at least 0")
      ?? 0
    return ((down ?? ones) + [middle?[0] ?? 1] + (up ?? ones)).map { $0 > threshold ? $0 : 0 }
  }

  /// Twelve numbers, missing ones 1; or the name of a curve, with `+` a number that is added.
  private static func side(
    _ arguments: NetworkArguments, _ key: String
  ) throws(NetworkError) -> [Float]? {
    guard let text = arguments[key] else { return nil }
    let count = BlockNumber.perSide
    if text.first?.isLetter == true {
      let parts = text.split(separator: "+", maxSplits: 1).map(String.init)
      guard let curve = curves[parts[0]], let base = parts.count > 1 ? Float(parts[1]) : 0 else {
        throw .value(
          key, expected: "numbers, or one of \(curves.keys.sorted().joined(separator: ", "))",
          found: text)
      }
      return (0..<count).map { curve(Float($0) / Float(count - 1)) + base }
    }
    guard let numbers = try arguments.numbers(key), numbers.count <= count else {
      throw .value(key, expected: "at most \(count) numbers", found: text)
    }
    return numbers + [Float](repeating: 1, count: count - numbers.count)
  }

  /// From the first block of a side, 0, to the last, 1.
  private static let curves: [String: @Sendable (Float) -> Float] = [
    "cosine": { sin(.pi / 2 * (1 - $0)) }, "sine": { sin(.pi / 2 * $0) }, "linear": { $0 },
    "reverse_linear": { 1 - $0 }, "zeros": { _ in 0 },
  ]
}
