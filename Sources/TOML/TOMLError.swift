/// Why a text is not TOML, and where.
package struct TOMLError: Error, Equatable, CustomStringConvertible {
  /// From 1.
  package let line: Int
  /// From 1, in characters.
  package let column: Int
  /// What was expected, what was found, what to do; one line.
  package let problem: String

  package var description: String { "line \(line), column \(column): \(problem)" }
}
