/// The blocks of some families' models: what lists of block weights call them, and how trainers number them.
package struct BlockTable: Sendable {
  /// Which modules lie in a block; all conditions that are there hold.
  private struct Rule: Sendable {
    let component: String?
    let role: ComponentRole?
    let pattern: BlockPattern?
    /// `{n}` in it is the pattern's number.
    let block: String
  }

  /// Short names of the models: `SD1 and SD2`.
  package let title: String
  /// Whose blocks these are, in order of preference.
  package let families: [ModelFamily]
  /// The format whose names of modules tell the block.
  package let format: AdapterFormat
  /// The block of each number of a list, by its length, the shortest first; the longest names every block.
  package let lists: [[String]]
  /// Lists that have a name, as they are written.
  package let presets: [String: String]
  /// nil where kohya's scripts do not number the blocks.
  package let numbers: BlockNumbers?
  private let rules: [Rule]

  /// By the length of their shortest list.
  package static let all: [BlockTable] = {
    let definitions = FamilyDefinition.all.filter { !$0.blocks.isEmpty }
    return Dictionary(grouping: definitions, by: \.blocks)
      .map { BlockTable(files: $0, families: $1.map(\.family)) }
      .sorted { $0.lists[0].count < $1.lists[0].count }
  }()

  /// The blocks that a list of so many numbers is for.
  package static func list(of count: Int) -> (table: BlockTable, blocks: [String])? {
    for table in all {
      if let blocks = table.lists.first(where: { $0.count == count }) { return (table, blocks) }
    }
    return nil
  }

  /// The block of a module, `IN04`; nil for one that no list has a place for.
  /// - Parameter words: of its name in `format`.
  package func block(component: String, role: ComponentRole, words: [String]) -> String? {
    for rule in rules where rule.component ?? component == component && rule.role ?? role == role {
      guard let pattern = rule.pattern else { return rule.block }
      guard let numbers = pattern.numbers(in: words) else { continue }
      return numbers.first.map { rule.block.replacing("{n}", with: $0.twoDigits) } ?? rule.block
    }
    return nil
  }
}

extension BlockTable {
  private static let tables = EmbeddedFolder("BlockTables", of: EmbeddedTables.files)

  /// The files together are one table.
  private init(files: [String], families: [ModelFamily]) {
    let contents = files.map { Self.tables.table($0) }
    for table in contents {
      table.expect("title", "format", "lists", "rules", "presets", "numbers")
    }
    title = contents.compactMap { $0.string(ifAny: "title") }[0]
    format = contents.compactMap { $0.word(ifAny: "format") as AdapterFormat? }[0]
    lists = contents.flatMap { $0.stringLists(ifAny: "lists") ?? [] }
      .map { $0.flatMap(\.expandedBlocks) }.sorted { $0.count < $1.count }
    presets = contents.compactMap { $0.table(ifAny: "presets")?.entries { $0.string($1) } }
      .reduce(into: [:]) { $0.merge($1) { $1 } }
    numbers = contents.compactMap { $0.table(ifAny: "numbers") }.first.map { BlockNumbers($0) }
    rules = contents.flatMap { $0.tables(ifAny: "rules") ?? [] }.map { rule in
      rule.expect("component", "role", "name", "block")
      return Rule(
        component: rule.string(ifAny: "component"), role: rule.word(ifAny: "role"),
        pattern: rule.string(ifAny: "name").map { BlockPattern($0) }, block: rule.string("block"))
    }
    self.families = families
  }
}

extension ModelFamily {
  /// nil where no list is known for the family's blocks, and no number.
  package var blocks: BlockTable? { BlockTable.all.first { $0.families.contains(self) } }
}

extension String {
  /// `IN00`, `IN01`, … for `IN{0-8}`; otherwise the name itself.
  fileprivate var expandedBlocks: [String] {
    guard hasSuffix("}"), let brace = firstIndex(of: "{") else { return [self] }
    let bounds = self[brace...].dropFirst().dropLast().split(separator: "-").map { Int($0)! }
    return (bounds[0]...bounds[1]).map { self[..<brace] + $0.twoDigits }
  }
}

extension Int {
  /// As block names have numbers.
  fileprivate var twoDigits: String { (self < 10 ? "0" : "") + "\(self)" }
}
