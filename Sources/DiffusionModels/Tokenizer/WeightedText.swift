/// A caption with weights, as web UIs and kohya's scripts write them: `(a)` counts 1.1 times, `[a]` a 1.1th,
/// `(a:1.3)` as said, brackets within brackets together; `\(` is a bracket of the text.
///
/// Source: sd-scripts `library/strategy_base.py`, `parse_prompt_attention`.
package struct WeightedText: Equatable, Sendable {
  package struct Part: Equatable, Sendable {
    package var text: String
    package var weight: Double

    package init(text: String, weight: Double) {
      self.text = text
      self.weight = weight
    }
  }

  /// Neighbours differ in weight; at least one.
  package private(set) var parts: [Part] = []

  package init(_ text: String) {
    var (round, square) = ([Int](), [Int]())
    var rest = text.utf8[...]
    while let first = rest.first {
      switch first {
      case UInt8(ascii: "\\"):
        rest.removeFirst()
        // The sign behind it counts as text if it is one of the grammar.
        let escaped = rest.first.map { #"()[]\"#.utf8.contains($0) } ?? false
        append(rest.prefix(escaped ? 1 : 0))
        rest = rest.dropFirst(escaped ? 1 : 0)
      case UInt8(ascii: "("):
        round.append(parts.count)
        rest.removeFirst()
      case UInt8(ascii: "["):
        square.append(parts.count)
        rest.removeFirst()
      case UInt8(ascii: ")") where !round.isEmpty:
        multiply(from: round.removeLast(), by: 1.1)
        rest.removeFirst()
      case UInt8(ascii: "]") where !square.isEmpty:
        multiply(from: square.removeLast(), by: 1 / 1.1)
        rest.removeFirst()
      case UInt8(ascii: ":"):
        if let (weight, length) = Self.weight(rest) {
          if let start = round.popLast() {
            multiply(from: start, by: weight)
          } else {
            append(rest.prefix(length))
          }
          rest = rest.dropFirst(length)
        } else {
          append(rest.prefix(1))
          rest.removeFirst()
        }
      default:
        let length = max(1, rest.prefix { !#"\()[]:"#.utf8.contains($0) }.count)
        append(rest.prefix(length))
        rest = rest.dropFirst(length)
      }
    }
    for start in round { multiply(from: start, by: 1.1) }
    for start in square { multiply(from: start, by: 1 / 1.1) }
    merge()
  }

  /// Of `:1.3)`, with its length; nil for any other text.
  private static func weight(_ text: Substring.UTF8View) -> (weight: Double, length: Int)? {
    var rest = text.dropFirst()
    if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest.removeFirst() }
    rest = rest.drop { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")) ~= $0 }
    guard rest.first == UInt8(ascii: ")"),
      let number = Double(String(Substring(text[text.startIndex..<rest.startIndex]).dropFirst()))
    else { return nil }
    return (number, text.distance(from: text.startIndex, to: rest.startIndex) + 1)
  }

  private mutating func append(_ text: Substring.UTF8View) {
    parts.append(Part(text: String(Substring(text)), weight: 1))
  }

  private mutating func multiply(from start: Int, by factor: Double) {
    for i in start..<parts.count { parts[i].weight *= factor }
  }

  private mutating func merge() {
    var merged: [Part] = []
    for part in parts {
      if let last = merged.indices.last, merged[last].weight == part.weight {
        merged[last].text += part.text
      } else {
        merged.append(part)
      }
    }
    parts = merged.isEmpty ? [Part(text: "", weight: 1)] : merged
  }
}
