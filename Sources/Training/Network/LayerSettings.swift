import Machine
import ModelFamilies
import Patterns
import Tensors

/// What `--network_args` say of single layers of a family: which are trained, at what rank and rate, and as how many.
///
/// Source: sd-scripts `networks/lora_flux.py` and `networks/lora_sd3.py`, `create_network` and `create_modules`.
package struct LayerSettings: Sendable {
  private struct Rule: Sendable {
    let pattern: NamePattern
    let rank: Int
  }

  private struct Blocks: Sendable {
    let key: String
    /// First words of paths.
    let words: [String]
    let selection: BlockSelection
  }

  /// Count before all others, also in text encoders.
  private let named: NamedNumbers<Int>?
  let rates: NamedNumbers<Double>?
  private let kinds: [Rule]
  /// Of layers that nothing else trains.
  private let further: [Rule]
  private let blocks: [Blocks]
  /// Classes of blocks, all and those of them that are trained.
  private let classes: [(all: Set<String>, trained: Set<String>)]
  /// Layers that are trained in parts.
  private let fused: [NamePattern]

  /// The keys that every module of kohya's scripts knows here.
  static let names: Set<String> = ["network_reg_dims", "network_reg_lrs"]

  /// - Parameter known: what the family's module knows.
  /// - Throws: `NetworkError.value`
  init(_ arguments: NetworkArguments, _ known: LayerArguments) throws(NetworkError) {
    named = try NamedNumbers(arguments, "network_reg_dims", "rank") {
      GivenInteger.range(from: 0).contains($0)
    }
    rates = try NamedNumbers(arguments, "network_reg_lrs", "rate") { $0 >= 0 && $0.isFinite }
    var kinds: [Rule] = []
    for (key, pattern) in known.ranks.sorted(by: { $0.key < $1.key }) {
      guard let rank = try arguments.integer(key, atLeast: 0) else { continue }
      kinds.append(Rule(pattern: Self.own(pattern), rank: rank))
    }
    self.kinds = kinds
    var further: [Rule] = []
    for (key, patterns) in known.rankLists.sorted(by: { $0.key < $1.key }) {
      guard let ranks = try Self.ranks(arguments, key, patterns.count) else { continue }
      further += zip(patterns, ranks).map { Rule(pattern: Self.own($0), rank: $1) }
    }
    self.further = further
    var blocks: [Blocks] = []
    for (key, words) in known.blocks.sorted(by: { $0.key < $1.key }) {
      guard let text = arguments[key] else { continue }
      guard let selection = BlockSelection(text) else {
        throw .value(
          key, expected: "all, none, or numbers of blocks such as 0-3,7", found: text)
      }
      blocks.append(Blocks(key: key, words: words, selection: selection))
    }
    self.blocks = blocks
    var classes: [(all: Set<String>, trained: Set<String>)] = []
    for (key, kinds) in known.kinds.sorted(by: { $0.key < $1.key }) {
      guard let word = arguments[key], word != "all" else { continue }
      guard let trained = kinds[word] else {
        throw .value(
          key, expected: (["all"] + kinds.keys.sorted()).joined(separator: ", "), found: word)
      }
      classes.append((Set(kinds.values.joined()), Set(trained)))
    }
    self.classes = classes
    fused =
      try arguments.bool(LayerArguments.splits) ?? false ? known.fused.map { Self.own($0) } : []
  }

  /// A pattern of a family's file, which every test meets.
  private static func own(_ text: String) -> NamePattern {
    do throws(PatternError) {
      return try NamePattern(text, as: .expression, extent: .anywhere)
    } catch {
      preconditionFailure("a family's file: \(error)")
    }
  }

  /// Whole numbers with commas between, in brackets or not.
  private static func ranks(
    _ arguments: NetworkArguments, _ key: String, _ count: Int
  ) throws(NetworkError) -> [Int]? {
    guard let text = arguments[key] else { return nil }
    let bare = text.hasPrefix("[") && text.hasSuffix("]") ? text.dropFirst().dropLast() : text[...]
    let numbers = bare.split(separator: ",", omittingEmptySubsequences: false).map { part in
      Int(String(part.filter { !$0.isWhitespace }))
    }
    let ranks = numbers.compactMap {
      $0.flatMap { GivenInteger.range(from: 0).contains($0) ? $0 : nil }
    }
    guard ranks.count == count, numbers.count == count else {
      throw .value(key, expected: "\(count) ranks with commas between, 0 for none", found: text)
    }
    return ranks
  }

  // MARK: One layer

  /// What becomes of a layer.
  enum Choice {
    /// Nothing is said of it.
    case common
    /// Its rank, whatever else is said of it.
    case named(rank: Int)
    /// Its rank; `isFurther` where nothing else trains it.
    case rank(Int, isFurther: Bool)
    case omitted(String)
  }

  func choice(of module: FamilyModule) -> Choice {
    if let rank = named?.number(of: module.adapterName) { return .named(rank: rank) }
    guard !module.isTextEncoder else { return .common }
    for group in blocks {
      if let number = Self.number(of: module.path, group.words), !group.selection.contains(number) {
        return .omitted("\(group.key) leaves its block out")
      }
    }
    if let rule = kinds.first(where: { $0.pattern.matches(module.path) }) {
      return .rank(rule.rank, isFurther: false)
    }
    return further.first { $0.pattern.matches(module.path) }
      .map { .rank($0.rank, isFurther: true) } ?? .common
  }

  /// Whether a layer lies in no block of the kinds that are left out.
  func keeps(_ containers: Set<String>) -> Bool {
    classes.allSatisfy { group in
      containers.isDisjoint(with: group.all) || !containers.isDisjoint(with: group.trained)
    }
  }

  /// Whether a layer is trained though it lies in none of the blocks.
  func isFurther(_ module: FamilyModule) -> Bool {
    !module.isTextEncoder && further.contains { $0.rank > 0 && $0.pattern.matches(module.path) }
  }

  /// Rows of the parts that a layer is trained in: three as many as it has columns, and what is left; empty for one that
  /// is trained whole.
  func parts(of module: FamilyModule) -> [Int] {
    let (rows, width) = (module.shape.rows, module.shape.columns)
    guard !module.isTextEncoder, rows >= 3 * width,
      fused.contains(where: { $0.matches(module.path) })
    else { return [] }
    return [width, width, width] + (rows > 3 * width ? [rows - 3 * width] : [])
  }

  private static func number(of path: String, _ words: [String]) -> Int? {
    let parts = path.split(separator: ".", maxSplits: 2)
    guard parts.count > 1, words.contains(String(parts[0])) else { return nil }
    return Int(parts[1])
  }

  // MARK: All layers

  /// That blocks which are named are there.
  /// - Throws: `NetworkError.value`
  func check(on modules: [FamilyModule]) throws(NetworkError) {
    for group in blocks {
      guard let last = group.selection.last else { continue }
      let most = modules.lazy.filter { !$0.isTextEncoder }
        .compactMap { Self.number(of: $0.path, group.words) }.max()
      guard let most, last > most else { continue }
      throw .value(
        group.key, expected: "numbers of blocks from 0 to \(most)", found: "\(last)")
    }
  }

  /// Patterns that are found in no name.
  func notices(on modules: [FamilyModule]) -> [String] {
    func unmatched<Number>(_ numbers: NamedNumbers<Number>?, _ key: String) -> [String] {
      (numbers?.entries ?? []).filter { entry in
        !modules.contains { entry.pattern.matches($0.adapterName) }
      }.map { "network_args: \(key): '\($0.pattern.text)' is found in no name of a module" }
    }
    return unmatched(named, "network_reg_dims") + unmatched(rates, "network_reg_lrs")
  }
}
