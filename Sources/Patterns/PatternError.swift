/// Why a text cannot be used as a pattern.
package struct PatternError: Error, Equatable {
  package let pattern: String
  package let reason: String

  package init(_ pattern: String, _ reason: String) {
    self.pattern = pattern
    self.reason = reason
  }
}

extension PatternError: CustomStringConvertible {
  package var description: String {
    let shown = pattern.count > 80 ? pattern.prefix(79) + "…" : pattern
    return "pattern '\(shown)': \(reason)"
  }
}
