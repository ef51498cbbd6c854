import Checkpoints
package import Patterns

/// Which tensors or modules are asked for.
package struct InspectionPattern: Sendable {
  private let pattern: NamePattern?

  /// Everything.
  package static let all = InspectionPattern(nil)

  private init(_ pattern: NamePattern?) { self.pattern = pattern }

  /// - Throws: `PatternError`
  package init(_ text: String) throws(PatternError) { self.init(try NamePattern(text)) }

  package var isEverything: Bool { pattern == nil }

  package func matches(_ name: String) -> Bool { pattern?.matches(name) ?? true }

  /// The items whose names match, in their order.
  func filter<Item>(_ items: [Item], by name: (Item) -> String) -> [Item] {
    items.filter { matches(name($0)) }
  }

  /// Whether it matches nothing, and what is near.
  func notices(on names: [[String]], of things: String) -> [String] {
    NamePattern.notices(
      on: pattern.map { [$0] } ?? [], from: "'--pattern'", names: names, of: things)
  }
}
