/// Which tensors or modules are asked for.
package struct InspectionPattern: Sendable {
  private let text: String?

  /// Everything.
  package static let all = InspectionPattern(text: nil)

  private init(text: String?) { self.text = text }

  /// - Parameter text: a regular expression, found anywhere in the name.
  /// - Throws: `OperationError.pattern`
  package init(_ text: String) throws(OperationError) {
    do {
      _ = try Regex(text)
    } catch {
      throw .pattern(text)
    }
    self.init(text: text)
  }

  package var isEverything: Bool { text == nil }

  package func matches(_ name: String) -> Bool { filter([name]) { $0 }.count == 1 }

  /// The items whose names match, in their order.
  func filter<Item>(_ items: [Item], by name: (Item) -> String) -> [Item] {
    guard let text, let regex = try? Regex(text) else { return items }
    return items.filter { name($0).contains(regex) }
  }
}
