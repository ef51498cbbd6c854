/// The names of one component's layers, taken apart into blocks.
struct LayerTree {
  /// A name on its way into the model.
  private struct Way {
    let words: [String]
    /// Whether dots part the words, which else may have underscores of their own.
    let isDotted: Bool
    /// Where numbers stand that are those of parts of the model.
    var parts: [Int] = []
    /// What stands before the first number.
    var head = ""
    /// Words between the numbers: `attentions`, `transformer_blocks`.
    var containers: [String] = []
    var numbers: [String] = []
    /// Behind the last part; the whole name where there is none.
    var layer = ""

    func slot(_ end: Int) -> Slot { Slot(before: words[..<end], behind: words[(end + 1)...]) }
  }

  /// All words up to a number.
  private struct Beginning: Hashable { let words: ArraySlice<String> }
  /// What stands around a number.
  private struct Slot: Hashable { let before: ArraySlice<String>, behind: ArraySlice<String> }
  /// A part of the model that holds others.
  private struct Node: Hashable { let head: String, numbers: ArraySlice<String> }
  private struct Block: Hashable { let head: String, numbers: [String] }

  private var ways: [Way]

  /// - Parameter paths: of layers of one component.
  init(_ paths: [String]) {
    ways = paths.map { Way(words: Self.words(of: $0), isDotted: $0.contains(".")) }
    findParts()
    findHeads()
  }

  /// In the order of the names.
  func places(in component: String) -> [LayerPlace] {
    let counts = levels()
    let blocks = ways.map { way in
      let last = way.numbers.indices.last {
        counts[Node(head: way.head, numbers: way.numbers[..<$0])] ?? false
      }
      return Block(head: way.head, numbers: Array(way.numbers.prefix((last ?? 0) + 1)))
    }
    let doubtful = doubtfulLayers(blocks)
    return zip(ways, blocks).map { way, block in
      let container = doubtful.contains(way.layer) ? way.containers.last.map { $0 + "." } : nil
      return LayerPlace(
        component: component, group: block.head, numbers: block.numbers,
        layer: (container ?? "") + way.layer)
    }
  }

  // MARK: Pieces

  private mutating func findParts() {
    var layers: [Beginning: Int] = [:]
    var numbers: [Slot: Set<String>] = [:]
    let ends = ways.map { way in way.words.indices.dropLast().filter { way.words[$0].isNumber } }
    for (way, ends) in zip(ways, ends) {
      for end in ends {
        layers[Beginning(words: way.words[...end]), default: 0] += 1
        numbers[way.slot(end), default: []].insert(way.words[end])
      }
    }
    for (index, ends) in ends.enumerated() {
      let way = ways[index]
      ways[index].parts = ends.filter { end in
        layers[Beginning(words: way.words[...end]), default: 0] > 1
          || numbers[way.slot(end), default: []].count > 1
      }
      let last = ways[index].parts.last
      ways[index].layer = way.words[(last.map { $0 + 1 } ?? 0)...].joined(separator: ".")
    }
  }

  /// Words that stand within blocks elsewhere are not of a block's own name: `mid_block.attentions.0`.
  private mutating func findHeads() {
    let containers = Set(
      ways.flatMap { way -> [String] in
        guard let first = way.parts.first, let last = way.parts.last else { return [] }
        return way.words[first...last].filter { !$0.isNumber }
      })
    for index in ways.indices {
      guard let last = ways[index].parts.last,
        let first = ways[index].words.firstIndex(where: \.isNumber)
      else { continue }
      let words = ways[index].words
      var head = words[..<first].joined(separator: ".")
      var own = words[first...last].filter { !$0.isNumber }
      let separator: Character = ways[index].isDotted ? "." : "_"
      while let word = head.ending(in: containers, behind: separator) {
        head = String(head.dropLast(word.count + 1))
        own.insert(word, at: 0)
      }
      ways[index].head = head
      ways[index].containers = own
      ways[index].numbers = words[first...last].filter(\.isNumber)
    }
  }

  /// Of every part that holds others, whether their numbers tell blocks apart.
  private func levels() -> [Node: Bool] {
    var children: [Node: [String: Set<String>]] = [:]
    var own: [Node: Set<String>] = [:]
    for way in ways where !way.parts.isEmpty {
      for (depth, number) in way.numbers.enumerated() {
        children[Node(head: way.head, numbers: way.numbers[..<depth]), default: [:]][
          number, default: []
        ].insert(way.layer)
      }
      own[Node(head: way.head, numbers: way.numbers[...]), default: []].insert(way.layer)
    }
    return children.reduce(into: [:]) { found, entry in
      let layers = entry.value.values.reduce(into: Set<String>()) { $0.formUnion($1) }
      let areAlike = entry.value.values.reduce(0) { $0 + $1.count } > layers.count
      found[entry.key] = areAlike && layers.count >= own[entry.key]?.count ?? 0
    }
  }

  /// Layers of one name that lie in different parts of one block: `norm1` of a resnet and of a transformer block.
  private func doubtfulLayers(_ blocks: [Block]) -> Set<String> {
    struct Cell: Hashable { let block: Block, layer: String }
    var found: [Cell: [String]] = [:]
    var doubtful: Set<String> = []
    for (way, block) in zip(ways, blocks) where !way.parts.isEmpty {
      let cell = Cell(block: block, layer: way.layer)
      if let others = found[cell], others != way.containers { doubtful.insert(way.layer) }
      found[cell] = way.containers
    }
    return doubtful
  }

  private static func words(of path: String) -> [String] {
    guard !path.contains(".") else { return path.split(separator: ".").map(String.init) }
    // `down_blocks_1_proj_in` as `down_blocks 1 proj_in`.
    var words: [String] = []
    var isAfterWord = false
    for part in path.split(separator: "_") {
      let part = String(part)
      if !part.isNumber, isAfterWord {
        words[words.count - 1] += "_" + part
      } else {
        words.append(part)
      }
      isAfterWord = !part.isNumber
    }
    return words
  }
}

extension String {
  fileprivate var isNumber: Bool { !isEmpty && utf8.allSatisfy { (0x30...0x39).contains($0) } }

  /// The longest of the words that it has behind others: `attentions` of `mid_block.attentions`, or of
  /// `mid_block_attentions`.
  fileprivate func ending(in words: Set<String>, behind separator: Character) -> String? {
    indices.lazy.filter { self[$0] == separator }
      .map { String(self[index(after: $0)...]) }.first(where: words.contains)
  }
}
