/// The blocks of a denoiser as kohya's scripts number them in `block_dims`, and which of them the weights of the
/// learning rate are for.
package struct BlockNumbers: Sendable {
  /// Which blocks a path's numbers count: a constant, and a factor for each of them.
  private struct Rule: Sendable {
    let pattern: BlockPattern
    let terms: [Int]
  }

  package let count: Int
  /// What `down_lr_weight` lists.
  package let down: Range<Int>
  /// What `mid_lr_weight` lists.
  package let middle: Range<Int>
  /// What `up_lr_weight` lists.
  package let up: Range<Int>
  private let rules: [Rule]

  /// The block of a module of the denoiser by its dotted name; nil outside of all.
  package func number(of path: String) -> Int? {
    let words = path.split(separator: ".").map(String.init)
    for rule in rules {
      guard let numbers = rule.pattern.numbers(atStartOf: words[...]) else { continue }
      return zip(rule.terms.dropFirst(), numbers).reduce(rule.terms[0]) { $0 + $1.0 * $1.1 }
    }
    return nil
  }
}

extension BlockNumbers {
  init(_ table: EmbeddedTable) {
    table.expect("count", "sides", "rules")
    count = table.integer("count")
    let sides = table.table("sides").entries { sides, name in
      let bounds = sides.integers(name)
      return bounds[0]..<bounds[0] + bounds[1]
    }
    (down, middle, up) = (sides["down"]!, sides["middle"]!, sides["up"]!)
    rules = table.tables("rules").map { rule in
      rule.expect("path", "number")
      return Rule(pattern: BlockPattern(rule.string("path")), terms: rule.integers("number"))
    }
  }
}
