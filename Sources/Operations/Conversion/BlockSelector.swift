import ModelFamilies
import Patterns

/// Which modules a block weight is for.
///
/// Words between dots or underscores are a block: they stand one after another anywhere in a name, in any
/// tool's spelling; numbers may be ranges, `0-18`, `*` stands for any one word, and components are words too:
/// `te1`, `unet`. One word may be the name of a block in the lists of numbers: `IN01`, `MID`, `BASE`. Anything with
/// another character than these is a `NamePattern` for the whole name.
struct BlockSelector: Sendable {
  private enum Rule: Sendable {
    case words([String])
    case pattern(NamePattern)
  }

  let text: String
  private let rule: Rule

  /// - Throws: `PatternError`
  init(_ text: String) throws(PatternError) {
    self.text = text
    let words = text.nameWords
    let isBlock =
      !words.isEmpty
      && words.allSatisfy { word in
        word == "*" || word.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" }
      }
    rule = isBlock ? .words(words) : .pattern(try NamePattern(text))
  }

  func fits(_ spellings: BlockSpellings) -> Bool {
    switch rule {
    case .words(let words):
      spellings.words.contains { Self.contains($0, words) }
        || words.count == 1 && spellings.block != nil && Self.block(words[0]) == spellings.block
    case .pattern(let pattern): spellings.names.contains(where: pattern.matches)
    }
  }

  /// What could be meant, from words that are there.
  func hint(among spellings: [BlockSpellings]) -> String {
    let known = Set(spellings.flatMap { $0.words.joined() }).filter { Int($0) == nil }.sorted()
    let own: [String] =
      switch rule {
      case .words(let words): words
      case .pattern(let pattern): pattern.body.nameWords
      }
    if case .words = rule, let near = Self.phrases(of: own.count, in: spellings).nearest(to: text) {
      return "; did you mean '\(near)'?"
    }
    for word in own where word.contains(where: \.isLetter) && !known.contains(word) {
      if let near = known.nearest(to: word) { return "; did you mean '\(near)'?" }
    }
    let names = spellings.prefix(3).compactMap { $0.names.first }.map { "'\($0)'" }
    let extent =
      switch rule {
      case .words: ""
      case .pattern: ", and the whole name has to match"
      }
    return "; names are such as \(names.joined(separator: ", "))\(extent)"
  }

  /// The web UI's extension writes `M00` for `MID`.
  private static func block(_ word: String) -> String {
    let name = word.uppercased()
    return name == "M00" ? "MID" : name
  }

  /// As many words as stand one after another somewhere in a name, and the names of blocks.
  private static func phrases(of count: Int, in spellings: [BlockSpellings]) -> [String] {
    var phrases = Set(spellings.compactMap(\.block))
    for words in spellings.flatMap(\.words) where words.count >= count {
      for start in 0...(words.count - count) {
        phrases.insert(words[start..<start + count].joined(separator: "."))
      }
    }
    return phrases.sorted()
  }

  /// Whether the words stand one after another somewhere in a name.
  private static func contains(_ name: [String], _ words: [String]) -> Bool {
    guard name.count >= words.count else { return false }
    return (0...(name.count - words.count)).contains { start in
      zip(words, name[start...]).allSatisfy { fits($0, $1) }
    }
  }

  private static func fits(_ pattern: String, _ word: String) -> Bool {
    if pattern == "*" || pattern == word { return true }
    let bounds = pattern.split(separator: "-").map { Int($0) }
    guard bounds.count == 2, let low = bounds[0], let high = bounds[1], let number = Int(word)
    else {
      return false
    }
    return low <= number && number <= high
  }
}

/// What the tools call one module.
struct BlockSpellings {
  /// Its own name and those of other tools; dotted ones also without what stands for the component.
  let names: [String]
  /// The component and the words of each name.
  let words: [[String]]
  /// Of the lists of numbers for its family: `IN04`; nil where these have no place for it.
  let block: String?

  /// - Parameter tables: of the family; nil for one without.
  init(of module: String, in tables: FamilyNames?) {
    let place = tables?.places(named: module).first
    let component = place?.component ?? AdapterPlace.component(of: module)
    var names = [module]
    if let place, let tables {
      for format in [AdapterFormat.kohya, .sgm, .comfy, .diffusers] {
        guard let name = tables.spelling(of: place, in: format)?.name else { continue }
        names.append(name)
        if !format.isUnderscored, let dot = name.firstIndex(of: ".") {
          names.append(String(name[name.index(after: dot)...]))
        }
      }
    }
    block = tables.flatMap { tables in
      ModelFamily.named(tables.name)?.blocks.flatMap { BlockWeights.block(of: module, $0, tables) }
    }
    words = names.map { [component] + $0.nameWords }
    self.names = names
  }
}
